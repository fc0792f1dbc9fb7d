// The cpu controller: relative weight, and quota per period in microseconds; 0 asks for nothing, but of burst and
// idle it is a value (kernel: scheduler/sched-bwc.rst, sched-rt-group.rst, cgroup-v2.rst "CPU").
import { TsruncError } from "../errors.ts";
import type { CpuResources } from "../spec/resources.ts";
import type { CgroupWrite } from "./types.ts";

const CPU = "linux.resources.cpu";
const SHARES = `${CPU}.shares`;
const QUOTA = `${CPU}.quota`;
const PERIOD = `${CPU}.period`;
const LEAST_SHARES = 2n;
const MOST_SHARES = 262144n;
/** Microseconds: what the kernel has until it is changed. */
const DEFAULT_PERIOD = 100000n;

export function planCpuV1(cpu: CpuResources = {}): readonly CgroupWrite[] {
  const { quota = 0n, period = 0n, realtimeRuntime = 0n, realtimePeriod = 0n } = cpu;
  const hierarchy = "cpu";
  const hasQuota = quota !== 0n;
  const writes: CgroupWrite[] = [...planWeight(cpu, hierarchy)];
  if (period !== 0n)
    writes.push({
      hierarchy,
      file: "cpu.cfs_period_us",
      value: String(period),
      why: PERIOD,
      ...waitIf(hasQuota),
    });
  writes.push(...planBurst(cpu, { hierarchy, file: "cpu.cfs_burst_us" }));
  if (hasQuota)
    writes.push({ hierarchy, file: "cpu.cfs_quota_us", value: String(quota < 0n ? -1n : quota), why: QUOTA });
  if (realtimePeriod !== 0n) {
    const value = String(realtimePeriod);
    const wait = waitIf(realtimeRuntime !== 0n);
    writes.push({ hierarchy, file: "cpu.rt_period_us", value, why: `${CPU}.realtimePeriod`, ...wait });
  }
  if (realtimeRuntime !== 0n) {
    const value = String(realtimeRuntime);
    writes.push({ hierarchy, file: "cpu.rt_runtime_us", value, why: `${CPU}.realtimeRuntime` });
  }
  return writes;
}

/** Throws TsruncError for the realtime members, which v2 has no equivalent of. */
export function planCpuV2(cpu: CpuResources = {}): readonly CgroupWrite[] {
  const { quota = 0n, period = 0n } = cpu;
  for (const name of ["realtimeRuntime", "realtimePeriod"] as const) {
    if ((cpu[name] ?? 0n) !== 0n)
      throw new TsruncError(`${CPU}.${name}: cgroup v2 does not control realtime processes`);
  }
  const hierarchy = "unified";
  const writes: CgroupWrite[] = [
    ...planWeight(cpu, hierarchy),
    ...planBurst(cpu, { hierarchy, file: "cpu.max.burst" }),
  ];
  if (quota !== 0n || period !== 0n) {
    const value = `${quota > 0n ? quota : "max"} ${period === 0n ? DEFAULT_PERIOD : period}`;
    writes.push({ hierarchy, file: "cpu.max", value, why: quota === 0n ? PERIOD : QUOTA });
  }
  return writes;
}

/**
 * An idle cgroup has the least weight, and the kernel refuses any other (EINVAL): so shares go after the end of
 * idleness, and not with its beginning.
 */
function planWeight(
  { shares = 0n, idle }: CpuResources,
  hierarchy: "cpu" | "unified",
): readonly CgroupWrite[] {
  const writes: CgroupWrite[] = [];
  if (idle !== undefined) {
    const write = { hierarchy, file: "cpu.idle", value: String(idle), why: `${CPU}.idle` };
    // 0 is what a kernel without the file (CONFIG_FAIR_GROUP_SCHED) has anyway.
    writes.push(idle === 0n ? { ...write, ifMissing: "skip" } : write);
  }
  if (shares === 0n || idle === 1n) return writes;
  if (hierarchy === "cpu") checkShares(shares);
  const [file, value] = hierarchy === "cpu" ? ["cpu.shares", shares] : ["cpu.weight", sharesToWeight(shares)];
  return [...writes, { hierarchy, file, value: String(value), why: SHARES }];
}

/** A burst is never above the quota: a higher one fits only with the new quota, a lower quota only after it. */
function planBurst(
  { burst, quota = 0n }: CpuResources,
  place: Pick<CgroupWrite, "hierarchy" | "file">,
): readonly CgroupWrite[] {
  if (burst === undefined) return [];
  const write = { ...place, value: String(burst), why: `${CPU}.burst`, ...waitIf(quota !== 0n) };
  return [burst === 0n ? { ...write, ifMissing: "skip" } : write];
}

/** For a value that the kernel compares with that of a later write. */
function waitIf(isWritten: boolean): Pick<CgroupWrite, "ifInvalid"> {
  return isWritten ? { ifInvalid: "retry last" } : {};
}

/** The kernel would clamp the value and say nothing. */
function checkShares(shares: bigint): void {
  if (shares < LEAST_SHARES)
    throw new TsruncError(`${SHARES}: the minimum allowed cpu-shares is ${LEAST_SHARES}, not ${shares}`);
  if (shares > MOST_SHARES)
    throw new TsruncError(`${SHARES}: the maximum allowed cpu-shares is ${MOST_SHARES}, not ${shares}`);
}

/**
 * The weight (1 to 10000) for v1 shares (2 to 262144), by the curve that runc and crun use since 2025: both
 * ranges' ends and defaults (1024 → 100) fall on one another.
 */
export function sharesToWeight(shares: bigint): number {
  if (shares <= LEAST_SHARES) return 1;
  if (shares >= MOST_SHARES) return 10000;
  const log = Math.log2(Number(shares));
  return Math.ceil(10 ** ((log * log + 125 * log) / 612 - 7 / 34));
}
