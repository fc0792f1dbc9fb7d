import { UsageError } from "../errors.ts";
import { CONTAINER_ID, type CommandDefinition, getId } from "./command.ts";
import { getText } from "./option.ts";

export const command: CommandDefinition = {
  usage: `${CONTAINER_ID} [ps options]`,
  description: "Lists the processes of a container, with the host's ps (-ef unless options are given).",
  options: [
    { name: "format", short: "f", kind: "text", value: "format", help: "table or json (default: table)" },
  ],
  minArgs: 1,
  maxArgs: Number.POSITIVE_INFINITY,
  stopsAtArgs: true,
  run: async (invocation) => {
    const { ctx, args, options, print } = invocation;
    const format = getText(options, "format") ?? "table";
    if (format !== "table" && format !== "json") throw new UsageError(`invalid format option: ${format}`);
    const { formatPids, listProcesses, selectLines } = await import("../container/ps.ts");
    const pids = await listProcesses(ctx, getId(invocation));
    if (format === "json") {
      print(`${formatPids(pids)}\n`);
      return 0;
    }
    const { runPs } = await import("../host/ps.ts");
    const psArgs = args.slice(1);
    print(selectLines(runPs(ctx, psArgs.length === 0 ? ["-ef"] : psArgs), pids));
    return 0;
  },
};
