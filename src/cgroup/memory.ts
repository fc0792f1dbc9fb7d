// The memory controller: limits in bytes, -1 for none; 0 asks for nothing (kernel: cgroup-v1/memory.rst,
// cgroup-v2.rst "Memory"). `kernel` and `kernelTCP` are ignored, with a warning (spec/warnings.ts): the kernel
// accounts kernel memory with the rest. `useHierarchy` is always on since Linux 5.11.
import { TsruncError } from "../errors.ts";
import type { MemoryResources } from "../spec/resources.ts";
import type { CgroupWrite } from "./types.ts";

const LIMIT = "linux.resources.memory.limit";
const RESERVATION = "linux.resources.memory.reservation";
const SWAP = "linux.resources.memory.swap";
const SWAPPINESS = "linux.resources.memory.swappiness";
const DISABLE_OOM_KILLER = "linux.resources.memory.disableOOMKiller";

/** On v1 the kernel itself refuses a limit below the usage (EBUSY): `checkBeforeUpdate` asks for nothing more. */
export function planMemoryV1(memory: MemoryResources = {}): readonly CgroupWrite[] {
  const { limit = 0n, reservation = 0n, swappiness, disableOOMKiller } = memory;
  // As runc: without a limit of memory, one of memory and swap together is lifted too.
  const isImplied = limit === -1n && (memory.swap ?? 0n) === 0n;
  const swap = isImplied ? -1n : (memory.swap ?? 0n);
  const hierarchy = "memory";
  const writes: CgroupWrite[] = [];
  const limits: CgroupWrite[] = [];
  if (limit !== 0n)
    limits.push({ hierarchy, file: "memory.limit_in_bytes", value: String(limit), why: LIMIT });
  if (swap !== 0n) {
    const write: CgroupWrite = {
      hierarchy,
      file: "memory.memsw.limit_in_bytes",
      value: String(swap),
      why: isImplied ? LIMIT : SWAP,
    };
    // The limit of memory is never above that of memory and swap: that goes first where it goes up for sure, and
    // else a limit that does not fit yet is written again. A kernel that does not account swap lacks the file.
    if (swap === -1n) limits.unshift({ ...write, ifMissing: "skip" });
    else
      limits.splice(0, 1, ...limits.map((first) => ({ ...first, ifInvalid: "retry last" as const })), write);
  }
  writes.push(...limits);
  if (reservation !== 0n)
    writes.push({
      hierarchy,
      file: "memory.soft_limit_in_bytes",
      value: String(reservation),
      why: RESERVATION,
    });
  if (disableOOMKiller !== undefined) {
    const value = disableOOMKiller ? "1" : "0";
    const write = { hierarchy, file: "memory.oom_control", value, why: DISABLE_OOM_KILLER };
    writes.push(disableOOMKiller ? write : { ...write, ifMissing: "skip" });
  }
  if (swappiness !== undefined)
    writes.push({ hierarchy, file: "memory.swappiness", value: String(swappiness), why: SWAPPINESS });
  return writes;
}

/** Throws TsruncError for what v2 has no equivalent of: swappiness, disableOOMKiller, swap without limit. */
export function planMemoryV2(memory: MemoryResources = {}): readonly CgroupWrite[] {
  const { limit = 0n, reservation = 0n, swap = 0n, checkBeforeUpdate = false } = memory;
  if (memory.swappiness !== undefined)
    throw new TsruncError(`${SWAPPINESS}: cgroup v2 has no swappiness of its own for a cgroup`);
  if (memory.disableOOMKiller === true)
    throw new TsruncError(`${DISABLE_OOM_KILLER}: cgroup v2 cannot disable the OOM killer`);
  const hierarchy = "unified";
  const writes: CgroupWrite[] = [];
  // Where the kernel would call the OOM killer instead of refusing.
  const check = (amount: bigint): Pick<CgroupWrite, "mustExceed"> =>
    checkBeforeUpdate && amount > 0n ? { mustExceed: { file: "memory.current", amount } } : {};
  const swapMax = convertSwap(limit, swap);
  if (swapMax !== undefined) {
    const write = {
      hierarchy,
      file: "memory.swap.max",
      value: formatLimit(swapMax),
      why: swap === 0n ? LIMIT : SWAP,
      ...check(swap),
    };
    // A kernel without swap lacks the file, and swaps nothing out.
    writes.push(swapMax > 0n ? write : { ...write, ifMissing: "skip" });
  }
  if (limit !== 0n)
    writes.push({ hierarchy, file: "memory.max", value: formatLimit(limit), why: LIMIT, ...check(limit) });
  if (reservation !== 0n)
    writes.push({ hierarchy, file: "memory.low", value: formatLimit(reservation), why: RESERVATION });
  return writes;
}

/**
 * The limit of swap alone, for limits of memory and of memory and swap together; -1 for none, undefined if nothing
 * is asked for. The conversion is runc's. Throws TsruncError.
 */
export function convertSwap(limit: bigint, swap: bigint): bigint | undefined {
  if (swap === 0n) return limit === -1n ? -1n : undefined;
  if (swap === -1n || limit === -1n) return swap;
  if (limit === 0n) throw new TsruncError(`${SWAP}: unable to set swap limit without memory limit`);
  if (swap < limit)
    throw new TsruncError(`${SWAP}: memory+swap limit ${swap} should be >= memory limit ${limit}`);
  return swap - limit;
}

function formatLimit(value: bigint): string {
  return value === -1n ? "max" : String(value);
}
