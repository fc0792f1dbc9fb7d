import { UsageError } from "../errors.ts";
import { CONTAINER_ID, type CommandDefinition, getId, type Invocation } from "./command.ts";
import { getText, type OptionSpec } from "./option.ts";

const bytes = (name: string, help: string): OptionSpec => ({ name, kind: "text", value: "bytes", help });
const time = (name: string, help: string): OptionSpec => ({ name, kind: "text", value: "usec", help });

const OPTIONS: readonly OptionSpec[] = [
  {
    name: "resources",
    short: "r",
    kind: "text",
    value: "file",
    help: "resources as in config.json, or - for stdin; other options are ignored then",
  },
  { name: "blkio-weight", kind: "text", value: "weight", help: "weight of block I/O, 10 to 1000" },
  time("cpu-period", "period of the CPU quota"),
  time("cpu-quota", "CPU time in a period; -1 for no limit"),
  time("cpu-burst", "CPU time above the quota that may be saved up"),
  { name: "cpu-share", kind: "text", value: "shares", help: "relative weight of CPU time" },
  time("cpu-rt-period", "period of the realtime quota"),
  time("cpu-rt-runtime", "CPU time of realtime processes in a period"),
  { name: "cpu-idle", kind: "text", value: "0|1", help: "1: runs only on idle CPUs" },
  { name: "cpuset-cpus", kind: "text", value: "list", help: "CPUs to run on, such as 0-2,7" },
  { name: "cpuset-mems", kind: "text", value: "list", help: "memory nodes to use" },
  bytes("memory", "limit of memory (100M, 1G; -1 for none)"),
  bytes("memory-reservation", "soft limit of memory"),
  bytes("memory-swap", "limit of memory and swap together"),
  { ...bytes("kernel-memory", "ignored"), hidden: true },
  { ...bytes("kernel-memory-tcp", "ignored"), hidden: true },
  { name: "pids-limit", kind: "text", value: "n", help: "number of processes and threads; -1 for no limit" },
  { name: "l3-cache-schema", kind: "text", value: "schema", help: "Intel RDT/CAT schema of the L3 cache" },
  { name: "mem-bw-schema", kind: "text", value: "schema", help: "Intel RDT/MBA schema of memory bandwidth" },
];

export const command: CommandDefinition = {
  usage: CONTAINER_ID,
  description: "Changes the resources of a created, running or paused container.",
  options: OPTIONS,
  minArgs: 1,
  maxArgs: 1,
  run: async (invocation) => {
    const schemas = readSchemas(invocation);
    const { updateContainer } = await import("../container/update.ts");
    await updateContainer(invocation.ctx, getId(invocation), await readChange(invocation), schemas);
    return 0;
  },
};

/** The options of linux.intelRdt, undefined without them; as in config.json (config-linux.md, "IntelRdt"). */
function readSchemas({ options }: Invocation) {
  const l3CacheSchema = getText(options, "l3-cache-schema") || undefined;
  const memBwSchema = getText(options, "mem-bw-schema") || undefined;
  if (memBwSchema !== undefined && !/^MB:[^\n]*$/.test(memBwSchema))
    throw new UsageError("invalid value for mem-bw-schema: must be one line that begins with MB:");
  if (l3CacheSchema === undefined && memBwSchema === undefined) return undefined;
  return { l3CacheSchema, memBwSchema };
}

async function readChange({ ctx, options }: Invocation) {
  const { parseResources } = await import("../spec/config.ts");
  const file = getText(options, "resources");
  if (!file) {
    const { formatUpdateOptions } = await import("./update-options.ts");
    return parseResources(formatUpdateOptions(options), "update options");
  }
  const { readFileSync } = await import("node:fs");
  const { resolve } = await import("node:path");
  const { describeFsError } = await import("../container/store.ts");
  const name = file === "-" ? "standard input" : file;
  try {
    const text = readFileSync(file === "-" ? ctx.stdio[0] : resolve(ctx.cwd, file), "utf8");
    return parseResources(text, name);
  } catch (error) {
    throw describeFsError("read the resources", error);
  }
}
