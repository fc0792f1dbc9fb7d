import { CONTAINER_ID, type CommandDefinition } from "./command.ts";
import { hasFlag } from "./option.ts";
import { CREATE_OPTIONS, readCreateOptions } from "./process-options.ts";
import { processSignals } from "./signals.ts";

export const command: CommandDefinition = {
  usage: CONTAINER_ID,
  description:
    "Creates and starts a container, waits for its program, passes signals on to it, and deletes the container. " +
    "Exits with the program's status, or 128 and the number of the signal that ended it.",
  options: [
    ...CREATE_OPTIONS,
    { name: "detach", short: "d", kind: "flag", help: "do not wait for the program" },
    { name: "keep", kind: "flag", help: "do not delete the container when its program has ended" },
    { name: "no-subreaper", kind: "flag", help: "do not adopt processes of the container while waiting" },
  ],
  minArgs: 1,
  maxArgs: 1,
  passesFds: true,
  runsHooks: true,
  errorPrefix: "tsrunc run failed: ",
  run: async (invocation) => {
    const { options } = invocation;
    const runOptions = {
      ...readCreateOptions(invocation),
      detach: hasFlag(options, "detach"),
      keep: hasFlag(options, "keep"),
      noSubreaper: hasFlag(options, "no-subreaper"),
    };
    const { runContainer } = await import("../container/making.ts");
    return await runContainer(invocation.ctx, runOptions, processSignals);
  },
};
