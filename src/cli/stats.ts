import type { CommandDefinition } from "./command.ts";
import { parseInterval } from "./duration.ts";
import { getText, hasFlag } from "./option.ts";

export const command: CommandDefinition = {
  usage: "[container-id...]",
  description:
    "Shows what containers use, all that run unless some are named: CPU (100 % is one CPU), memory without cache " +
    "that is easily taken back, its limit and pressure (% of time in which processes waited for it), bytes read " +
    "and written, processes. On a terminal the table is refreshed in place, elsewhere lines follow one another.",
  options: [
    { name: "interval", kind: "text", value: "duration", help: "time between two outputs (default: 2s)" },
    { name: "json", kind: "flag", help: "one JSON object a line for each container" },
    { name: "no-stream", kind: "flag", help: "show it once, then end" },
  ],
  minArgs: 0,
  maxArgs: Number.POSITIVE_INFINITY,
  run: async ({ ctx, args, options, print }) => {
    const intervalMs = parseInterval("interval", getText(options, "interval") ?? "2s");
    const { watchStats } = await import("../container/watch-stats.ts");
    await watchStats(ctx, {
      ids: args,
      intervalMs,
      json: hasFlag(options, "json"),
      once: hasFlag(options, "no-stream"),
      emit: print,
    });
    return 0;
  },
};
