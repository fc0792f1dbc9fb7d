import { CONTAINER_ID, type CommandDefinition } from "./command.ts";
import { CREATE_OPTIONS, readCreateOptions } from "./process-options.ts";

export const command: CommandDefinition = {
  usage: CONTAINER_ID,
  description:
    "Shows what create and start would do, in the order of execution, and which part of the configuration asks for it.",
  options: CREATE_OPTIONS,
  minArgs: 1,
  maxArgs: 1,
  passesFds: true,
  run: async (invocation) => {
    const options = readCreateOptions(invocation);
    const { planContainer } = await import("../container/making.ts");
    invocation.print(await planContainer(invocation.ctx, options));
    return 0;
  },
};
