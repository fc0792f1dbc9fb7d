import { deleteContainer } from "../container/delete.ts";
import { CONTAINER_ID, type CommandDefinition, getId } from "./command.ts";
import { hasFlag } from "./option.ts";

export const command: CommandDefinition = {
  usage: CONTAINER_ID,
  description: "Deletes a container that has stopped or was not started.",
  options: [
    {
      name: "force",
      short: "f",
      kind: "flag",
      help: "kill its processes first; no error if it does not exist",
    },
  ],
  minArgs: 1,
  maxArgs: 1,
  runsHooks: true,
  run: async (invocation) => {
    const force = hasFlag(invocation.options, "force");
    await deleteContainer(invocation.ctx, getId(invocation), { force });
    return 0;
  },
};
