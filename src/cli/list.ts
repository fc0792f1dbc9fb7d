import { formatJson, formatTable, listContainers } from "../container/list.ts";
import { UsageError } from "../errors.ts";
import type { CommandDefinition } from "./command.ts";
import { getText, hasFlag } from "./option.ts";

export const command: CommandDefinition = {
  usage: "",
  description: "Lists the containers.",
  options: [
    { name: "format", short: "f", kind: "text", value: "format", help: "table or json (default: table)" },
    { name: "quiet", short: "q", kind: "flag", help: "print ids only" },
  ],
  minArgs: 0,
  maxArgs: 0,
  run: ({ ctx, options, hasRoot, print, printError }) => {
    const format = getText(options, "format") ?? "table";
    if (format !== "table" && format !== "json") throw new UsageError(`invalid format option: ${format}`);
    const { states, problems } = listContainers(ctx, hasRoot);
    for (const problem of problems) printError(`${problem}\n`);
    if (hasFlag(options, "quiet")) print(states.map(({ id }) => `${id}\n`).join(""));
    else print(format === "json" ? `${formatJson(states)}\n` : formatTable(states));
    return 0;
  },
};
