import { CONTAINER_ID, type CommandDefinition, getId } from "./command.ts";

export const command: CommandDefinition = {
  usage: CONTAINER_ID,
  description: "Starts the program of a created container.",
  options: [],
  minArgs: 1,
  maxArgs: 1,
  runsHooks: true,
  run: async (invocation) => {
    const { startContainer } = await import("../container/start.ts");
    await startContainer(invocation.ctx, getId(invocation));
    return 0;
  },
};
