// The cpu controller: relative weight, and quota per period in microseconds; 0 asks for nothing (kernel:
// scheduler/sched-bwc.rst, cgroup-v2.rst "CPU").
import { TsruncError } from "../errors.ts";
import type { CpuResources } from "../spec/resources.ts";
import type { CgroupWrite } from "./types.ts";

const SHARES = "linux.resources.cpu.shares";
const QUOTA = "linux.resources.cpu.quota";
const PERIOD = "linux.resources.cpu.period";
const LEAST_SHARES = 2n;
const MOST_SHARES = 262144n;
/** Microseconds: what the kernel has until it is changed. */
const DEFAULT_PERIOD = 100000n;

export function planCpuV1(cpu: CpuResources | undefined): readonly CgroupWrite[] {
  const { shares = 0n, quota = 0n, period = 0n } = cpu ?? {};
  const writes: CgroupWrite[] = [];
  const hierarchy = "cpu";
  if (shares !== 0n) {
    checkShares(shares);
    writes.push({ hierarchy, file: "cpu.shares", value: String(shares), why: SHARES });
  }
  if (period !== 0n) {
    const write: CgroupWrite = { hierarchy, file: "cpu.cfs_period_us", value: String(period), why: PERIOD };
    // The kernel compares quota/period with the parent's: the new period may fit the new quota only.
    writes.push(quota === 0n ? write : { ...write, ifInvalid: "retry last" });
  }
  if (quota !== 0n)
    writes.push({ hierarchy, file: "cpu.cfs_quota_us", value: String(quota < 0n ? -1n : quota), why: QUOTA });
  return writes;
}

export function planCpuV2(cpu: CpuResources | undefined): readonly CgroupWrite[] {
  const { shares = 0n, quota = 0n, period = 0n } = cpu ?? {};
  const writes: CgroupWrite[] = [];
  const hierarchy = "unified";
  if (shares !== 0n)
    writes.push({ hierarchy, file: "cpu.weight", value: String(sharesToWeight(shares)), why: SHARES });
  if (quota !== 0n || period !== 0n) {
    const value = `${quota > 0n ? quota : "max"} ${period === 0n ? DEFAULT_PERIOD : period}`;
    writes.push({ hierarchy, file: "cpu.max", value, why: quota === 0n ? PERIOD : QUOTA });
  }
  return writes;
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
