// The statistics of `events` in the members that go-runc reads (runc's types/events.go), as JSON. Pure.
import type { CgroupStats, IoEntry, LimitedUsage, Pressure } from "../cgroup/stats-types.ts";

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
export function describeStats({ cpu, cpuset, memory, pids, io, hugetlb }: CgroupStats): Json {
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
    intel_rdt: {},
    network_interfaces: null,
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
