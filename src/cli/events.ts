import { CONTAINER_ID, type CommandDefinition, getId } from "./command.ts";
import { parseInterval } from "./duration.ts";
import { getText, hasFlag } from "./option.ts";

export const command: CommandDefinition = {
  usage: CONTAINER_ID,
  description:
    "Shows out-of-memory events and statistics of a container, one JSON object a line, until the container stops.",
  options: [
    { name: "interval", kind: "text", value: "duration", help: "time between statistics (default: 5s)" },
    { name: "stats", kind: "flag", help: "show the statistics once, then end" },
  ],
  minArgs: 1,
  maxArgs: 1,
  run: async (invocation) => {
    const { ctx, options, print } = invocation;
    const intervalMs = parseInterval("interval", getText(options, "interval") ?? "5s");
    const { formatStatsEvent, streamEvents } = await import("../container/events.ts");
    const id = getId(invocation);
    if (hasFlag(options, "stats")) print(formatStatsEvent(ctx, id));
    else await streamEvents(ctx, id, { intervalMs, emit: print });
    return 0;
  },
};
