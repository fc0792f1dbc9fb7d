import { CONTAINER_ID, type CommandDefinition, getId } from "./command.ts";

export const command: CommandDefinition = {
  usage: CONTAINER_ID,
  description: "Stops all processes of a container where they are, until resume.",
  options: [],
  minArgs: 1,
  maxArgs: 1,
  run: async (invocation) => {
    const { pauseContainer } = await import("../container/pause.ts");
    await pauseContainer(invocation.ctx, getId(invocation));
    return 0;
  },
};
