import { killContainer } from "../container/kill.ts";
import { UsageError } from "../errors.ts";
import { parseSignal } from "../linux/signals.ts";
import { CONTAINER_ID, type CommandDefinition, getId } from "./command.ts";
import { hasFlag } from "./option.ts";

export const command: CommandDefinition = {
  usage: `${CONTAINER_ID} [signal]`,
  description:
    "Sends a signal to the first process of a container: a number or a name. Unless given, it is that of the annotation " +
    "org.opencontainers.image.stopSignal, or SIGTERM.",
  options: [{ name: "all", short: "a", kind: "flag", help: "send it to all processes of the container" }],
  minArgs: 1,
  maxArgs: 2,
  run: (invocation) => {
    const name = invocation.args[1];
    const signal = name === undefined ? undefined : parseSignal(name);
    if (name !== undefined && signal === undefined)
      throw new UsageError(`unknown signal ${JSON.stringify(name)}`);
    killContainer(invocation.ctx, getId(invocation), { signal, all: hasFlag(invocation.options, "all") });
    return 0;
  },
};
