import { CONTAINER_ID, type CommandDefinition } from "./command.ts";
import { CREATE_OPTIONS, readCreateOptions } from "./process-options.ts";

export const command: CommandDefinition = {
  usage: CONTAINER_ID,
  description: "Creates a container from a bundle. Its program waits for start.",
  options: CREATE_OPTIONS,
  minArgs: 1,
  maxArgs: 1,
  passesFds: true,
  errorPrefix: "tsrunc create failed: ",
  run: async (invocation) => {
    const options = readCreateOptions(invocation);
    const { createContainer, prepareContainer } = await import("../container/making.ts");
    await createContainer(invocation.ctx, prepareContainer(invocation.ctx, options));
    return 0;
  },
};
