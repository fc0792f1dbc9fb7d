import { formatContainerState } from "../container/state.ts";
import { CONTAINER_ID, type CommandDefinition, getId } from "./command.ts";

export const command: CommandDefinition = {
  usage: CONTAINER_ID,
  description: "Prints the state of a container as JSON.",
  options: [],
  minArgs: 1,
  maxArgs: 1,
  run: (invocation) => {
    invocation.print(formatContainerState(invocation.ctx, getId(invocation)));
    return 0;
  },
};
