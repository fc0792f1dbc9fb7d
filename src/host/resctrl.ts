// linux.intelRdt (config-linux.md, "IntelRdt"): a container's group in the resctrl file system (the kernel's
// Documentation/filesystems/resctrl.rst). AMD's and Arm's controls have the same interface.
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { MountPoint } from "../compile/facts.ts";
import { ConfigError, SyscallError, TsruncError, toSyscallError } from "../errors.ts";
import type { IntelRdt } from "../spec/config.ts";

const ESRCH = 3;

/** What a container has in resctrl; part of its record. */
export interface ResctrlRecord {
  /** Where resctrl is mounted. */
  readonly root: string;
  /** Directory of the group, absolute. */
  readonly group: string;
  /** The group goes with the container: it has its name, and was not there before. */
  readonly removesGroup: boolean;
  /** Directory of the monitoring group, which goes with the container. */
  readonly monitor?: string | undefined;
}

export type SchemaChange = Pick<IntelRdt, "l3CacheSchema" | "memBwSchema">;

export interface ResctrlPlan {
  readonly record: ResctrlRecord;
  readonly isNew: boolean;
  /** With the members that they come from, in the order in which they are written. */
  readonly schemas: readonly (readonly [member: "l3CacheSchema" | "memBwSchema", schema: string])[];
  readonly schemata: readonly string[];
}

/** Where resctrl is mounted, with all of it; pure. */
export function findResctrl(mountPoints: readonly MountPoint[]): string | undefined {
  return mountPoints.find(({ fsType, root }) => fsType === "resctrl" && root === "/")?.path;
}

/** What `createResctrl` is to do. Throws ConfigError if there is no resctrl, or not the group that must be there. */
export function planResctrl(rdt: IntelRdt, id: string, root: string | undefined): ResctrlPlan {
  const refuse = (path: string, message: string): never => {
    throw new ConfigError("config.json", [{ path, message }]);
  };
  if (root === undefined)
    return refuse(
      "linux.intelRdt",
      "no resctrl file system is mounted (mount -t resctrl resctrl /sys/fs/resctrl)",
    );
  const { closID, l3CacheSchema, memBwSchema, schemata = [] } = rdt;
  const group = closID === "/" ? root : join(root, closID ?? id);
  const isNew = !existsSync(group);
  const schemas = splitSchemas({ l3CacheSchema, memBwSchema });
  if (closID !== undefined && isNew && schemas.length === 0 && schemata.length === 0)
    refuse("linux.intelRdt.closID", `there is no group ${group}, and no schema to make it with`);
  const monitor = rdt.enableMonitoring ? join(group, "mon_groups", id) : undefined;
  return {
    record: { root, group, removesGroup: closID === undefined && isNew, monitor },
    isNew,
    schemas,
    schemata,
  };
}

/**
 * The lines of both members, with the member that each comes from; pure. Where l3CacheSchema has lines of memory
 * bandwidth too, these do not count (config-linux.md).
 */
export function splitSchemas({ l3CacheSchema, memBwSchema }: SchemaChange): ResctrlPlan["schemas"] {
  const lines = (l3CacheSchema ?? "").split("\n").filter((line) => line !== "" && !line.startsWith("MB:"));
  return [
    ...lines.map((line) => ["l3CacheSchema", line] as const),
    ...(memBwSchema === undefined ? [] : [["memBwSchema", memBwSchema] as const]),
  ];
}

/**
 * Makes or checks the group. Gives what takes back all that was made, for a container that does not come to be. Throws
 * TsruncError, and has made nothing then.
 */
export function createResctrl({ record, isNew, schemas, schemata }: ResctrlPlan): () => void {
  const made: string[] = [];
  const undo = (): void => {
    for (const path of made.splice(0).reverse()) removeDirectory(record, path);
  };
  const make = (path: string): void => {
    attempt(record, `mkdir("${path}")`, () => mkdirSync(path, { mode: 0o755 }));
    made.push(path);
  };
  try {
    if (isNew) make(record.group);
    else for (const [member, schema] of schemas) checkSchema(record, member, schema);
    const lines = isNew ? [...schemas.map(([, schema]) => schema), ...schemata] : schemata;
    if (lines.length > 0) writeSchemata(record, lines);
    if (record.monitor !== undefined) make(record.monitor);
    return undo;
  } catch (error) {
    undo();
    throw error;
  }
}

/** Writes lines of the group's `schemata`; lines that are not given stay as they are. Throws SyscallError. */
export function writeSchemata(record: ResctrlRecord, lines: readonly string[]): void {
  writeFile(record, join(record.group, "schemata"), lines.map((line) => `${line}\n`).join(""));
}

/** Puts a process, and all that it forks from then on, into the group. Throws SyscallError. */
export function joinResctrl(record: ResctrlRecord, pid: number): void {
  for (const directory of [record.group, record.monitor])
    if (directory !== undefined) writeFile(record, join(directory, "tasks"), String(pid));
}

/** As {@link joinResctrl}, for all processes of a list that may grow and shrink meanwhile. */
export function joinAllResctrl(record: ResctrlRecord, list: () => readonly number[]): void {
  const seen = new Set<number>();
  for (let pids = list(); pids.length > 0; pids = list().filter((pid) => !seen.has(pid)))
    for (const pid of pids) {
      seen.add(pid);
      try {
        joinResctrl(record, pid);
      } catch (error) {
        if (!(error instanceof SyscallError && error.errno === ESRCH)) throw error;
      }
    }
}

/** Lines of the group's `schemata`. Throws SyscallError. */
export function readSchemata(record: ResctrlRecord): readonly string[] {
  const path = join(record.group, "schemata");
  const text = attempt(record, `open("${path}")`, () => readFileSync(path, "utf8"));
  return text.split("\n").filter((line) => line !== "");
}

/** Removes what goes with the container. Throws SyscallError. */
export function removeResctrl(record: ResctrlRecord): void {
  if (record.monitor !== undefined) removeDirectory(record, record.monitor);
  if (record.removesGroup) removeDirectory(record, record.group);
}

/** `plan`'s lines about the group. */
export function describeResctrl({ record, isNew, schemas, schemata }: ResctrlPlan): readonly string[] {
  const { group, monitor } = record;
  const lines = [...(isNew ? schemas.map(([, schema]) => schema) : []), ...schemata];
  return [
    ...(isNew
      ? [`mkdir("${group}")`]
      : schemas.map(([member]) => `compare ${member} with "${group}/schemata"`)),
    ...(lines.length > 0 ? [`write("${group}/schemata", ${JSON.stringify(lines.join("\n"))})`] : []),
    ...(monitor === undefined ? [] : [`mkdir("${monitor}")`]),
  ].map((line) => `${line}  # linux.intelRdt`);
}

/** A group that was there before may be shared: its schema must be the one that is asked for (config-linux.md). */
function checkSchema(record: ResctrlRecord, member: string, wanted: string): void {
  const actual = readSchemata(record);
  if (hasSchema(actual, wanted, readBandwidthStep(record.root))) return;
  const [name] = wanted.split(":", 1);
  const line = actual.find((each) => each.trim().startsWith(`${name}:`));
  throw new TsruncError(
    `linux.intelRdt.${member}: the group ${record.group} has another schema: ` +
      `${JSON.stringify(line?.trim() ?? "")}, not ${JSON.stringify(wanted)}`,
  );
}

/**
 * Whether `schemata` has all values of a line such as `L3:0=7f;1=7f` or `MB:0=50`; pure. The kernel writes masks with
 * leading zeros, pads names, and rounds bandwidths up to whole steps.
 */
export function hasSchema(schemata: readonly string[], wanted: string, bandwidthStep: number): boolean {
  const lines = new Map(schemata.map(parseSchema));
  const [name, values] = parseSchema(wanted);
  const actual = lines.get(name);
  const isBandwidth = name === "MB";
  return [...values].every(([domain, text]) => {
    const value = Number.parseInt(text, isBandwidth ? 10 : 16);
    const rounded = isBandwidth ? Math.ceil(value / bandwidthStep) * bandwidthStep : value;
    return Number.parseInt(actual?.get(domain) ?? "", isBandwidth ? 10 : 16) === rounded;
  });
}

function parseSchema(line: string): readonly [name: string, values: ReadonlyMap<string, string>] {
  const [name = "", rest = ""] = line.split(":", 2);
  const values = rest.split(";").map((entry) => entry.split("=", 2).map((part) => part.trim()));
  return [name.trim(), new Map(values.filter((pair) => pair.length === 2) as [string, string][])];
}

function readBandwidthStep(root: string): number {
  try {
    return Number(readFileSync(join(root, "info/MB/bandwidth_gran"), "utf8")) || 1;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return 1;
    throw error;
  }
}

function removeDirectory(record: ResctrlRecord, path: string): void {
  attempt(record, `rmdir("${path}")`, () => {
    try {
      rmdirSync(path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    }
  });
}

function writeFile(record: ResctrlRecord, path: string, text: string): void {
  attempt(record, `write("${path}", ${JSON.stringify(text)})`, () => writeFileSync(path, text));
}

/** Words a failure, with what the kernel says of it: an errno alone tells nothing about a schema. */
function attempt<T>({ root }: ResctrlRecord, call: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw toSyscallError(error, "linux.intelRdt", call, readStatus(root));
  }
}

function readStatus(root: string): string | undefined {
  try {
    const text = readFileSync(join(root, "info/last_cmd_status"), "utf8").trim();
    return text === "" || text === "ok" ? undefined : text;
  } catch {
    return undefined; // a kernel before 4.16, or no resctrl any more: the errno must do
  }
}
