// The statistics of `events` in the members that go-runc reads (runc's types/events.go), as JSON. Pure.
import type { CgroupStats, IoEntry, LimitedUsage, Pressure } from "../cgroup/stats-types.ts";
import type { MonitorData, ResctrlStats } from "../host/resctrl-stats.ts";

/** What `formatJson` (src/spec/json.ts) writes. Members that are undefined are left out. */
export type Json =
  | null
  | boolean
  | number
  | bigint
  | string
  | readonly Json[]
  | { readonly [name: string]: Json | undefined };

/** `data` of an event of the type `stats`. Members that are zero or empty are left out where runc leaves them out. */
export function describeStats(
  { cpu, cpuset, memory, pids, io, hugetlb }: CgroupStats,
  resctrl?: ResctrlStats,
): Json {
  return {
    cpu: {
      usage: {
        total: orNothing(cpu.total),
        percpu: listOrNothing(cpu.percpu),
        percpu_kernel: listOrNothing(cpu.percpuKernel),
        percpu_user: listOrNothing(cpu.percpuUser),
        kernel: cpu.kernel,
        user: cpu.user,
      },
      throttling: objectOrNothing({
        periods: orNothing(cpu.periods),
        throttledPeriods: orNothing(cpu.throttledPeriods),
        throttledTime: orNothing(cpu.throttledTime),
      }),
      psi: describePressure(cpu.pressure),
    },
    cpuset: {
      cpus: listOrNothing(cpuset.cpus),
      cpu_exclusive: cpuset.cpuExclusive,
      mems: listOrNothing(cpuset.mems),
      mem_hardwall: cpuset.memHardwall,
      mem_exclusive: cpuset.memExclusive,
      memory_migrate: cpuset.memoryMigrate,
      memory_spread_page: cpuset.memorySpreadPage,
      memory_spread_slab: cpuset.memorySpreadSlab,
      memory_pressure: cpuset.memoryPressure,
      sched_load_balance: cpuset.schedLoadBalance,
      sched_relax_domain_level: cpuset.schedRelaxDomainLevel,
    },
    memory: {
      cache: orNothing(memory.cache),
      usage: describeUsage(memory.memory),
      swap: describeUsage(memory.swap),
      kernel: describeUsage(memory.kernel),
      kernelTCP: describeUsage(memory.kernelTcp),
      raw: objectOrNothing(Object.fromEntries([...memory.raw].sort(([a], [b]) => (a < b ? -1 : 1)))),
      psi: describePressure(memory.pressure),
    },
    pids: { current: orNothing(pids.current), limit: orNothing(pids.limit) },
    blkio: {
      ioServiceBytesRecursive: describeIo(io.serviceBytes),
      ioServicedRecursive: describeIo(io.serviced),
      ioQueueRecursive: describeIo(io.queued),
      ioServiceTimeRecursive: describeIo(io.serviceTime),
      ioWaitTimeRecursive: describeIo(io.waitTime),
      ioMergedRecursive: describeIo(io.merged),
      ioTimeRecursive: describeIo(io.time),
      sectorsRecursive: describeIo(io.sectors),
      psi: describePressure(io.pressure),
    },
    hugetlb: Object.fromEntries(
      [...hugetlb].map(([size, { usage, max, failcnt }]) => [
        size,
        { usage: orNothing(usage), max: orNothing(max), failcnt },
      ]),
    ),
    intel_rdt: resctrl ? describeResctrlStats(resctrl) : {},
    network_interfaces: null,
  };
}

/** `intel_rdt` of the statistics. */
export function describeResctrlStats({
  l3,
  bandwidth,
  rootSchemata,
  schemata,
  monitors,
}: ResctrlStats): Json {
  const find = (lines: readonly string[], name: string): string | undefined =>
    lines.find((line) => line.startsWith(`${name}:`));
  const has = (...names: (keyof MonitorData)[]): boolean =>
    monitors.some((monitor) => names.some((name) => monitor[name] !== undefined));
  return {
    l3_cache_info: l3 && {
      cbm_mask: l3.cbmMask,
      min_cbm_bits: orNothing(l3.minCbmBits),
      num_closids: orNothing(l3.numClosids),
    },
    l3_cache_schema_root: find(rootSchemata, "L3"),
    l3_cache_schema: find(schemata, "L3"),
    mem_bw_info: bandwidth && {
      bandwidth_gran: orNothing(bandwidth.bandwidthGran),
      delay_linear: orNothing(bandwidth.delayLinear),
      min_bandwidth: orNothing(bandwidth.minBandwidth),
      num_closids: orNothing(bandwidth.numClosids),
    },
    mem_bw_schema_root: find(rootSchemata, "MB"),
    mem_bw_schema: find(schemata, "MB"),
    schemata: listOrNothing(schemata),
    mbm_stats: has("mbmTotalBytes", "mbmLocalBytes")
      ? monitors.map(({ mbmTotalBytes, mbmLocalBytes }) => ({
          mbm_total_bytes: mbmTotalBytes,
          mbm_local_bytes: mbmLocalBytes,
        }))
      : undefined,
    cmt_stats: has("llcOccupancy")
      ? monitors.map(({ llcOccupancy }) => ({ llc_occupancy: llcOccupancy }))
      : undefined,
  };
}

function describeUsage({ limit, usage, max, failcnt }: LimitedUsage): Json | undefined {
  if (limit === 0n && usage === 0n && max === 0n && failcnt === 0n) return undefined;
  return { limit, usage: orNothing(usage), max: orNothing(max), failcnt };
}

function describeIo(entries: readonly IoEntry[]): Json | undefined {
  return listOrNothing(
    entries.map(({ major, minor, op, value }) => ({
      major: orNothing(major),
      minor: orNothing(minor),
      op: op === "" ? undefined : op,
      value: orNothing(value),
    })),
  );
}

function describePressure(pressure: Pressure | undefined): Json | undefined {
  return pressure && { some: { ...pressure.some }, full: { ...pressure.full } };
}

function orNothing(value: bigint): bigint | undefined {
  return value === 0n ? undefined : value;
}

function listOrNothing(list: readonly Json[]): readonly Json[] | undefined {
  return list.length === 0 ? undefined : list;
}

function objectOrNothing(object: { readonly [name: string]: Json | undefined }): Json | undefined {
  return Object.values(object).every((member) => member === undefined) ? undefined : object;
}
