// What the kernel counts for a container's cgroup, in the terms of v1. All plain data.

export interface CpuStats {
  /** All in nanoseconds. */
  readonly total: bigint;
  readonly kernel: bigint;
  readonly user: bigint;
  /** By CPU; v1 only. */
  readonly percpu: readonly bigint[];
  readonly percpuKernel: readonly bigint[];
  readonly percpuUser: readonly bigint[];
  /** Periods that have passed, and those in which the quota ran out. */
  readonly periods: bigint;
  readonly throttledPeriods: bigint;
  /** Nanoseconds. */
  readonly throttledTime: bigint;
  readonly pressure?: Pressure;
}

/** v1 only; on cgroup2 all is empty or 0. The flags are 0 or 1. */
export interface CpusetStats {
  readonly cpus: readonly number[];
  readonly cpuExclusive: bigint;
  readonly mems: readonly number[];
  readonly memHardwall: bigint;
  readonly memExclusive: bigint;
  readonly memoryMigrate: bigint;
  readonly memorySpreadPage: bigint;
  readonly memorySpreadSlab: bigint;
  readonly memoryPressure: bigint;
  readonly schedLoadBalance: bigint;
  readonly schedRelaxDomainLevel: bigint;
}

/** In bytes, but for `failcnt`: how often the limit was hit. */
export interface Usage {
  readonly usage: bigint;
  readonly max: bigint;
  readonly failcnt: bigint;
}

export interface LimitedUsage extends Usage {
  /** `NO_LIMIT` (stats-text.ts) on cgroup2; v1 has a large number of its own. 0: there is no such counter. */
  readonly limit: bigint;
}

export interface MemoryStats {
  /** Bytes. */
  readonly cache: bigint;
  readonly memory: LimitedUsage;
  /** Memory and swap together, on both versions. */
  readonly swap: LimitedUsage;
  readonly kernel: LimitedUsage;
  readonly kernelTcp: LimitedUsage;
  /** All of memory.stat. */
  readonly raw: ReadonlyMap<string, bigint>;
  readonly pressure?: Pressure;
}

/** A value of one block device; `op` is `Read`, `Write`, `Total` and so on, or empty. */
export interface IoEntry {
  readonly major: bigint;
  readonly minor: bigint;
  readonly op: string;
  readonly value: bigint;
}

export interface IoStats {
  readonly serviceBytes: readonly IoEntry[];
  readonly serviced: readonly IoEntry[];
  /** From here on bfq's or cfq's on v1 only. Times are in nanoseconds. */
  readonly queued: readonly IoEntry[];
  readonly serviceTime: readonly IoEntry[];
  readonly waitTime: readonly IoEntry[];
  readonly merged: readonly IoEntry[];
  readonly time: readonly IoEntry[];
  readonly sectors: readonly IoEntry[];
  readonly pressure?: Pressure;
}

/** Share of the time in percent in which some, or all, processes waited (kernel: accounting/psi.rst). */
export interface Pressure {
  readonly some: PressureLine;
  readonly full: PressureLine;
}

export interface PressureLine {
  readonly avg10: number;
  readonly avg60: number;
  readonly avg300: number;
  /** Microseconds. */
  readonly total: bigint;
}

export interface CgroupStats {
  readonly cpu: CpuStats;
  readonly cpuset: CpusetStats;
  readonly memory: MemoryStats;
  /** `limit` is 0 for none. */
  readonly pids: { readonly current: bigint; readonly limit: bigint };
  readonly io: IoStats;
  /** By page size, as `2MB`. */
  readonly hugetlb: ReadonlyMap<string, Usage>;
}

/** The texts of a cgroup's files. */
export interface StatFiles {
  /** `hierarchy` is a key of CgroupRecord.paths. Undefined where the file, or the hierarchy, is not there. */
  readonly read: (hierarchy: string, file: string) => string | undefined;
  /** Names of all files of the cgroup in a hierarchy. */
  readonly list: (hierarchy: string) => readonly string[];
}
