// Hard resource limits that only the host may raise: init, in its user namespace, lacks CAP_SYS_RESOURCE over them.
import type { Libc } from "../../native-bindings/libc.ts";
import { SyscallError } from "../errors.ts";
import { RLIM_INFINITY } from "../linux/rlimits.ts";
import type { RlimitValue } from "../plan/host-action.ts";

/**
 * Raises the hard limits of a process whose wanted value is above what it has; soft limits stay, so that none hits
 * init. `limits` is the whole of process.rlimits: its indices are told in errors. prlimit(2): raising a hard limit
 * takes CAP_SYS_RESOURCE. Throws SyscallError.
 */
export function raiseRlimits(libc: Libc, pid: number, limits: readonly RlimitValue[]): void {
  for (const [i, { name, resource, soft, hard }] of limits.entries()) {
    const intent = `process.rlimits[${i}]: raise the hard limit of ${name.slice("RLIMIT_".length).toLowerCase()}`;
    const now = new BigUint64Array(2);
    const bytes = new Uint8Array(now.buffer);
    if (libc.prlimit64(pid, resource, null, bytes) < 0)
      throw new SyscallError(intent, `prlimit64(${pid}, ${name}, NULL, &limit)`, libc.errno());
    if (hard <= (now[1] as bigint)) continue;
    now[1] = hard;
    if (libc.prlimit64(pid, resource, bytes, null) < 0) {
      const wanted = `{rlim_cur=${print(soft)}, rlim_max=${print(hard)}}`;
      throw new SyscallError(intent, `prlimit64(${pid}, ${name}, ${wanted}, NULL)`, libc.errno());
    }
  }
}

function print(value: bigint): string {
  return value === RLIM_INFINITY ? "RLIM64_INFINITY" : String(value);
}
