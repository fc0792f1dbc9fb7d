import { killContainer } from "../container/kill.ts";
import { UsageError } from "../errors.ts";
import { parseSignal } from "../linux/signals.ts";
import { CONTAINER_ID, type CommandDefinition, getId } from "./command.ts";
import { hasFlag } from "./option.ts";

/** The signal that is none: whether there is a process to signal (kill(2)). */
const PROBE = 0;

export const command: CommandDefinition = {
  usage: `${CONTAINER_ID} [signal]`,
  description:
    "Sends a signal to the first process of a container: a number or a name. 0 only asks whether it runs. Unless given, " +
    "it is that of the annotation org.opencontainers.image.stopSignal, or SIGTERM.",
  options: [{ name: "all", short: "a", kind: "flag", help: "send it to all processes of the container" }],
  minArgs: 1,
  maxArgs: 2,
  run: async (invocation) => {
    const name = invocation.args[1] || undefined; // an empty one is none: kill "$ID" "$SIGNAL"
    const signal = name === undefined ? undefined : name === "0" ? PROBE : parseSignal(name);
    if (name !== undefined && signal === undefined)
      throw new UsageError(`unknown signal ${JSON.stringify(name)}`);
    await killContainer(invocation.ctx, getId(invocation), {
      signal,
      all: hasFlag(invocation.options, "all"),
    });
    return 0;
  },
};
