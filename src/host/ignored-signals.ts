import { readFileSync } from "node:fs";

/**
 * Signals that are ignored in this process (proc_pid_status(5), SigIgn), which it has inherited. One that
 * this process handles by now is not among them.
 */
export function findIgnoredSignals(): ReadonlySet<number> {
  const [, hex = "0"] = /^SigIgn:\s*([0-9a-f]+)$/m.exec(readFileSync("/proc/self/status", "utf8")) ?? [];
  const mask = BigInt(`0x${hex}`);
  const ignored = new Set<number>();
  for (let left = mask, signal = 1; left !== 0n; left >>= 1n, signal++) if (left & 1n) ignored.add(signal);
  return ignored;
}
