// The few statistics that `stats` shows of every container at short intervals: a tenth of what `events` reads. Pure
// but for readCgroupLoad.
import { openStatFiles } from "./stats.ts";
import { NO_LIMIT, parseCounter, parseCounters, parseIoEntries, parseIoStat } from "./stats-text.ts";
import type { Pressure, StatFiles } from "./stats-types.ts";
import { collectPids, pickPressure, readCounter } from "./stats-v1.ts";
import type { CgroupRecord } from "./types.ts";

export interface CgroupLoad {
  /** CPU time in nanoseconds. */
  readonly cpuTime: bigint;
  /** Bytes, with the page cache. */
  readonly memoryUsage: bigint;
  /** Of those, bytes of cache that nobody has used for a while: the kernel takes them back first. */
  readonly inactiveFile: bigint;
  /** Bytes; undefined for none. */
  readonly memoryLimit?: bigint;
  readonly pids: bigint;
  readonly pidsLimit?: bigint;
  /** Bytes of all devices. */
  readonly read: bigint;
  readonly written: bigint;
  readonly pressure: {
    readonly cpu?: Pressure;
    readonly memory?: Pressure;
    readonly io?: Pressure;
  };
}

/** v1 has no word for "no limit", but the largest number of pages: no machine has an exbibyte. */
const BOUNDLESS = 1n << 60n;

/** Undefined for a cgroup that is gone. Throws TsruncError, SyscallError. */
export function readCgroupLoad(record: CgroupRecord): CgroupLoad | undefined {
  const files = openStatFiles(record);
  return record.mode === "v2" ? collectLoadV2(files) : collectLoadV1(files);
}

export function collectLoadV1(files: StatFiles): CgroupLoad | undefined {
  const cpuTime = files.read("cpuacct", "cpuacct.usage");
  const pids = collectPids(files, "pids");
  // A host may lack either controller; nobody lacks both.
  if (cpuTime === undefined && pids.current === 0n) return undefined;
  const stat = parseCounters("memory.stat", files.read("memory", "memory.stat") ?? "");
  const limit = readCounter(files, "memory", "memory.limit_in_bytes");
  return {
    cpuTime: parseCounter("cpuacct.usage", cpuTime ?? "0"),
    memoryUsage: readCounter(files, "memory", "memory.usage_in_bytes"),
    inactiveFile: stat.get("total_inactive_file") ?? 0n,
    ...(limit > 0n && limit < BOUNDLESS ? { memoryLimit: limit } : {}),
    ...describePids(pids),
    ...sumIoV1(files),
    pressure: collectPressure(files),
  };
}

export function collectLoadV2(files: StatFiles): CgroupLoad | undefined {
  const cpu = files.read("unified", "cpu.stat");
  if (cpu === undefined) return undefined;
  const stat = parseCounters("memory.stat", files.read("unified", "memory.stat") ?? "");
  const limit = files.read("unified", "memory.max");
  const bytes = limit === undefined ? NO_LIMIT : parseCounter("memory.max", limit);
  let read = 0n;
  let written = 0n;
  for (const { counters } of parseIoStat("io.stat", files.read("unified", "io.stat") ?? "")) {
    read += counters.get("rbytes") ?? 0n;
    written += counters.get("wbytes") ?? 0n;
  }
  return {
    cpuTime: (parseCounters("cpu.stat", cpu).get("usage_usec") ?? 0n) * 1000n,
    memoryUsage: readCounter(files, "unified", "memory.current"),
    inactiveFile: stat.get("inactive_file") ?? 0n,
    ...(bytes === NO_LIMIT ? {} : { memoryLimit: bytes }),
    ...describePids(collectPids(files, "unified")),
    read,
    written,
    pressure: collectPressure(files),
  };
}

function describePids({ current, limit }: { readonly current: bigint; readonly limit: bigint }): {
  readonly pids: bigint;
  readonly pidsLimit?: bigint;
} {
  return limit === 0n ? { pids: current } : { pids: current, pidsLimit: limit };
}

/** The throttling layer counts for every disk, and bfq for those that it schedules; a kernel may lack the former. */
function sumIoV1(files: StatFiles): { readonly read: bigint; readonly written: bigint } {
  for (const file of ["blkio.throttle.io_service_bytes_recursive", "blkio.bfq.io_service_bytes_recursive"]) {
    const entries = parseIoEntries(file, files.read("blkio", file) ?? "");
    if (entries.length === 0) continue;
    const sum = (wanted: string): bigint =>
      entries.reduce((total, { op, value }) => (op === wanted ? total + value : total), 0n);
    return { read: sum("Read"), written: sum("Write") };
  }
  return { read: 0n, written: 0n };
}

function collectPressure(files: StatFiles): CgroupLoad["pressure"] {
  const cpu = pickPressure(files, "cpu").pressure;
  const memory = pickPressure(files, "memory").pressure;
  const io = pickPressure(files, "io").pressure;
  return { ...(cpu && { cpu }), ...(memory && { memory }), ...(io && { io }) };
}
