import { CONTAINER_ID, type CommandDefinition } from "./command.ts";
import { CREATE_OPTIONS, readCreateOptions } from "./process-options.ts";
import { processSignals } from "./signals.ts";

export const command: CommandDefinition = {
  usage: CONTAINER_ID,
  description: "Creates a container from a bundle. Its program waits for start.",
  options: CREATE_OPTIONS,
  minArgs: 1,
  maxArgs: 1,
  passesFds: true,
  runsHooks: true,
  errorPrefix: "tsrunc create failed: ",
  run: async (invocation) => {
    const options = readCreateOptions(invocation);
    const { createContainer, holdEnding, prepareContainer } = await import("../container/making.ts");
    const { ctx } = invocation;
    await holdEnding(processSignals, () => createContainer(ctx, prepareContainer(ctx, options)));
    return 0;
  },
};
