// Statistics of the v1 controllers (kernel: cgroup-v1/). Pure: texts of files in, numbers out. Where cgroup2 is
// mounted beside them (hybrid), pressure comes from there.

import {
  listLines,
  malformed,
  parseCounter,
  parseCounters,
  parseIoEntries,
  parsePressure,
  parseRanges,
} from "./stats-text.ts";
import type {
  CgroupStats,
  CpuStats,
  CpusetStats,
  IoEntry,
  IoStats,
  LimitedUsage,
  MemoryStats,
  Pressure,
  StatFiles,
  Usage,
} from "./stats-types.ts";

/** cpuacct.stat counts in ticks of USER_HZ, which is 100 on every architecture but alpha and ia64. */
const NS_PER_TICK = 10_000_000n;
const NOTHING: LimitedUsage = { usage: 0n, max: 0n, failcnt: 0n, limit: 0n };

export function collectStatsV1(files: StatFiles): CgroupStats {
  return {
    cpu: { ...collectCpu(files), ...pickPressure(files, "cpu") },
    cpuset: collectCpuset(files),
    memory: { ...collectMemory(files), ...pickPressure(files, "memory") },
    pids: collectPids(files, "pids"),
    io: { ...collectIo(files), ...pickPressure(files, "io") },
    hugetlb: collectHugetlb(files),
  };
}

/** `resource` is `cpu`, `memory` or `io`. */
export function pickPressure(files: StatFiles, resource: string): { readonly pressure?: Pressure } {
  const file = `${resource}.pressure`;
  const text = files.read("unified", file);
  return text === undefined ? {} : { pressure: parsePressure(file, text) };
}

/** The same files on both versions. No limit is 0. */
export function collectPids(files: StatFiles, hierarchy: string): CgroupStats["pids"] {
  const max = files.read(hierarchy, "pids.max")?.trim() ?? "max";
  return {
    current: readCounter(files, hierarchy, "pids.current"),
    limit: max === "max" ? 0n : parseCounter("pids.max", max),
  };
}

function collectCpu(files: StatFiles): CpuStats {
  const time = parseCounters("cpuacct.stat", files.read("cpuacct", "cpuacct.stat") ?? "");
  const periods = parseCounters("cpu.stat", files.read("cpu", "cpu.stat") ?? "");
  const percpu = files.read("cpuacct", "cpuacct.usage_percpu") ?? "";
  // A header, then a line for each CPU: its number, and nanoseconds of user and of system time.
  const modes = listLines(files.read("cpuacct", "cpuacct.usage_all") ?? "")
    .slice(1)
    .map((line) => line.split(" ").map((word) => parseCounter("cpuacct.usage_all", word)));
  return {
    total: readCounter(files, "cpuacct", "cpuacct.usage"),
    kernel: (time.get("system") ?? 0n) * NS_PER_TICK,
    user: (time.get("user") ?? 0n) * NS_PER_TICK,
    percpu: percpu
      .split(/\s+/)
      .flatMap((word) => (word === "" ? [] : [parseCounter("cpuacct.usage_percpu", word)])),
    percpuKernel: modes.map(([, , kernel = 0n]) => kernel),
    percpuUser: modes.map(([, user = 0n]) => user),
    periods: periods.get("nr_periods") ?? 0n,
    throttledPeriods: periods.get("nr_throttled") ?? 0n,
    throttledTime: periods.get("throttled_time") ?? 0n,
  };
}

function collectCpuset(files: StatFiles): CpusetStats {
  const ranges = (file: string): readonly number[] => parseRanges(file, files.read("cpuset", file) ?? "");
  const flag = (name: string): bigint => readCounter(files, "cpuset", `cpuset.${name}`);
  const level = files.read("cpuset", "cpuset.sched_relax_domain_level")?.trim() ?? "0";
  if (!/^-?[0-9]+$/.test(level)) throw malformed("cpuset.sched_relax_domain_level", level);
  return {
    cpus: ranges("cpuset.cpus"),
    cpuExclusive: flag("cpu_exclusive"),
    mems: ranges("cpuset.mems"),
    memHardwall: flag("mem_hardwall"),
    memExclusive: flag("mem_exclusive"),
    memoryMigrate: flag("memory_migrate"),
    memorySpreadPage: flag("memory_spread_page"),
    memorySpreadSlab: flag("memory_spread_slab"),
    memoryPressure: flag("memory_pressure"),
    schedLoadBalance: flag("sched_load_balance"),
    // The one value here that is negative by right: -1 is the system's default.
    schedRelaxDomainLevel: BigInt(level),
  };
}

function collectMemory(files: StatFiles): MemoryStats {
  const raw = parseCounters("memory.stat", files.read("memory", "memory.stat") ?? "");
  return {
    cache: raw.get("cache") ?? 0n,
    memory: collectUsage(files, "memory"),
    swap: collectUsage(files, "memory.memsw"),
    kernel: collectUsage(files, "memory.kmem"),
    kernelTcp: collectUsage(files, "memory.kmem.tcp"),
    raw,
  };
}

/** Swap and kernel memory need not be accounted. */
function collectUsage(files: StatFiles, prefix: string): LimitedUsage {
  if (files.read("memory", `${prefix}.usage_in_bytes`) === undefined) return NOTHING;
  return {
    usage: readCounter(files, "memory", `${prefix}.usage_in_bytes`),
    max: readCounter(files, "memory", `${prefix}.max_usage_in_bytes`),
    failcnt: readCounter(files, "memory", `${prefix}.failcnt`),
    limit: readCounter(files, "memory", `${prefix}.limit_in_bytes`),
  };
}

type IoFiles = Partial<Record<Exclude<keyof IoStats, "pressure">, string>>;

const nameSchedulerFiles = (scheduler: string): IoFiles => ({
  sectors: `blkio${scheduler}.sectors_recursive`,
  serviceTime: `blkio${scheduler}.io_service_time_recursive`,
  waitTime: `blkio${scheduler}.io_wait_time_recursive`,
  merged: `blkio${scheduler}.io_merged_recursive`,
  queued: `blkio${scheduler}.io_queued_recursive`,
  time: `blkio${scheduler}.time_recursive`,
  serviced: `blkio${scheduler}.io_serviced_recursive`,
  serviceBytes: `blkio${scheduler}.io_service_bytes_recursive`,
});

/**
 * Who counts I/O depends on the scheduler of each disk; the first of these whose first file has entries is taken, as
 * in runc: bfq with and without the kernel's debugging option, cfq, the throttling layer.
 */
const IO_SOURCES: readonly IoFiles[] = [
  nameSchedulerFiles(".bfq"),
  { serviced: "blkio.bfq.io_serviced_recursive", serviceBytes: "blkio.bfq.io_service_bytes_recursive" },
  nameSchedulerFiles(""),
  {
    serviced: "blkio.throttle.io_serviced_recursive",
    serviceBytes: "blkio.throttle.io_service_bytes_recursive",
  },
  { serviced: "blkio.throttle.io_serviced", serviceBytes: "blkio.throttle.io_service_bytes" },
];

function collectIo(files: StatFiles): IoStats {
  const read = (file: string | undefined): readonly IoEntry[] =>
    file === undefined ? [] : parseIoEntries(file, files.read("blkio", file) ?? "");
  const source = IO_SOURCES.find((names) => read(Object.values(names)[0]).length > 0) ?? {};
  return {
    serviceBytes: read(source.serviceBytes),
    serviced: read(source.serviced),
    queued: read(source.queued),
    serviceTime: read(source.serviceTime),
    waitTime: read(source.waitTime),
    merged: read(source.merged),
    time: read(source.time),
    sectors: read(source.sectors),
  };
}

/** Reservations where the kernel counts them (Linux 5.7), or else pages in use. */
function collectHugetlb(files: StatFiles): ReadonlyMap<string, Usage> {
  const names = files.list("hugetlb");
  const sizes = names.flatMap((name) => /^hugetlb\.([0-9]+[KMG]B)\.usage_in_bytes$/.exec(name)?.[1] ?? []);
  return new Map(
    sizes.sort().map((size) => {
      const reserved = `hugetlb.${size}.rsvd`;
      const prefix = names.includes(`${reserved}.usage_in_bytes`) ? reserved : `hugetlb.${size}`;
      const read = (name: string): bigint => readCounter(files, "hugetlb", `${prefix}.${name}`);
      return [
        size,
        { usage: read("usage_in_bytes"), max: read("max_usage_in_bytes"), failcnt: read("failcnt") },
      ];
    }),
  );
}

/** 0 where there is no such file. */
export function readCounter(files: StatFiles, hierarchy: string, file: string): bigint {
  return parseCounter(file, files.read(hierarchy, file) ?? "0");
}
