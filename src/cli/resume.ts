import { CONTAINER_ID, type CommandDefinition, getId } from "./command.ts";

export const command: CommandDefinition = {
  usage: CONTAINER_ID,
  description: "Lets the processes of a paused container go on.",
  options: [],
  minArgs: 1,
  maxArgs: 1,
  run: async (invocation) => {
    const { resumeContainer } = await import("../container/pause.ts");
    await resumeContainer(invocation.ctx, getId(invocation));
    return 0;
  },
};
