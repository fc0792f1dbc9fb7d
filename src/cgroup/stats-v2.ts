// Statistics of cgroup2 (kernel: cgroup-v2.rst), in the terms of v1. Pure: texts of files in, numbers out.

import { type DeviceCounters, listLines, NO_LIMIT, parseCounters, parseIoStat } from "./stats-text.ts";
import type {
  CgroupStats,
  CpuStats,
  CpusetStats,
  IoEntry,
  IoStats,
  LimitedUsage,
  MemoryStats,
  StatFiles,
  Usage,
} from "./stats-types.ts";
import { collectPids, pickPressure, readCounter } from "./stats-v1.ts";

const HIERARCHY = "unified";
const NS_PER_US = 1000n;
const NOTHING: LimitedUsage = { usage: 0n, max: 0n, failcnt: 0n, limit: 0n };

const NO_CPUSET: CpusetStats = {
  cpus: [],
  cpuExclusive: 0n,
  mems: [],
  memHardwall: 0n,
  memExclusive: 0n,
  memoryMigrate: 0n,
  memorySpreadPage: 0n,
  memorySpreadSlab: 0n,
  memoryPressure: 0n,
  schedLoadBalance: 0n,
  schedRelaxDomainLevel: 0n,
};

export function collectStatsV2(files: StatFiles): CgroupStats {
  return {
    cpu: { ...collectCpu(files), ...pickPressure(files, "cpu") },
    cpuset: NO_CPUSET,
    memory: { ...collectMemory(files), ...pickPressure(files, "memory") },
    pids:
      files.read(HIERARCHY, "pids.current") === undefined ? countPids(files) : collectPids(files, HIERARCHY),
    io: { ...collectIo(files), ...pickPressure(files, "io") },
    hugetlb: collectHugetlb(files),
  };
}

/** Without the pids controller: processes rather than tasks, and of this cgroup alone. */
function countPids(files: StatFiles): CgroupStats["pids"] {
  const current = BigInt(listLines(files.read(HIERARCHY, "cgroup.procs") ?? "").length);
  return { current, limit: 0n };
}

function collectCpu(files: StatFiles): CpuStats {
  const counters = parseCounters("cpu.stat", files.read(HIERARCHY, "cpu.stat") ?? "");
  const nanoseconds = (name: string): bigint => (counters.get(name) ?? 0n) * NS_PER_US;
  return {
    total: nanoseconds("usage_usec"),
    kernel: nanoseconds("system_usec"),
    user: nanoseconds("user_usec"),
    percpu: [],
    percpuKernel: [],
    percpuUser: [],
    periods: counters.get("nr_periods") ?? 0n,
    throttledPeriods: counters.get("nr_throttled") ?? 0n,
    throttledTime: nanoseconds("throttled_usec"),
  };
}

function collectMemory(files: StatFiles): MemoryStats {
  const raw = parseCounters("memory.stat", files.read(HIERARCHY, "memory.stat") ?? "");
  const memory = collectUsage(files, "memory");
  return {
    cache: raw.get("file") ?? 0n,
    memory,
    swap: addMemory(collectUsage(files, "memory.swap"), memory),
    kernel: NOTHING,
    kernelTcp: NOTHING,
    raw,
  };
}

/** memory.peak: Linux 5.19; memory.swap.peak: 6.5. A kernel without swap accounting lacks all of memory.swap. */
function collectUsage(files: StatFiles, prefix: string): LimitedUsage {
  if (files.read(HIERARCHY, `${prefix}.current`) === undefined) return NOTHING;
  return {
    usage: readCounter(files, HIERARCHY, `${prefix}.current`),
    max: readCounter(files, HIERARCHY, `${prefix}.peak`),
    failcnt: 0n,
    limit: readCounter(files, HIERARCHY, `${prefix}.max`),
  };
}

/** Swap alone becomes memory and swap together, whose peak nobody knows. */
function addMemory(swap: LimitedUsage, memory: LimitedUsage): LimitedUsage {
  const hasLimit = swap.limit !== NO_LIMIT && memory.limit !== NO_LIMIT;
  return {
    usage: swap.usage + memory.usage,
    max: 0n,
    failcnt: 0n,
    limit: hasLimit ? swap.limit + memory.limit : NO_LIMIT,
  };
}

function collectIo(files: StatFiles): IoStats {
  const devices = parseIoStat("io.stat", files.read(HIERARCHY, "io.stat") ?? "");
  return {
    serviceBytes: devices.flatMap((device) => pickEntries(device, { rbytes: "Read", wbytes: "Write" })),
    serviced: devices.flatMap((device) => pickEntries(device, { rios: "Read", wios: "Write" })),
    queued: [],
    serviceTime: [],
    waitTime: [],
    merged: [],
    time: [],
    sectors: [],
  };
}

function pickEntries(
  { major, minor, counters }: DeviceCounters,
  names: Readonly<Record<string, string>>,
): readonly IoEntry[] {
  return Object.entries(names).flatMap(([key, op]) => {
    const value = counters.get(key);
    return value === undefined ? [] : [{ major, minor, op, value }];
  });
}

/** Reservations where the kernel counts them, or else pages in use; the kernel keeps no maximum. */
function collectHugetlb(files: StatFiles): ReadonlyMap<string, Usage> {
  const names = files.list(HIERARCHY);
  const sizes = names.flatMap((name) => /^hugetlb\.([0-9]+[KMG]B)\.current$/.exec(name)?.[1] ?? []);
  return new Map(
    sizes.sort().map((size) => {
      const reserved = `hugetlb.${size}.rsvd.current`;
      const file = names.includes(reserved) ? reserved : `hugetlb.${size}.current`;
      const events = `hugetlb.${size}.events`;
      const failcnt = parseCounters(events, files.read(HIERARCHY, events) ?? "").get("max") ?? 0n;
      return [size, { usage: readCounter(files, HIERARCHY, file), max: 0n, failcnt }];
    }),
  );
}
