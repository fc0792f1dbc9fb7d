// What this process may do on its host: rootless or not.
import { closeSync, openSync, readFileSync, readlinkSync } from "node:fs";
import { loadLibc } from "../../native-bindings/libc.ts";
import type { Facts } from "../compile/facts.ts";
import type { Context } from "../context.ts";
import { SyscallError, TsruncError } from "../errors.ts";
import { capabilityNumber } from "../linux/capabilities.ts";
import { closeFd } from "./fd.ts";
import { isInUserNamespace } from "./in-user-namespace.ts";

const NS_GET_USERNS = 0xb701;

/** What this process may do, as far as its namespaces and capabilities decide it. */
export type Privilege = Pick<Facts, "boundingSet" | "isInUserNamespace" | "mayMount">;

/**
 * To mount in its own mount namespace, this process must have CAP_SYS_ADMIN in the user namespace that owns it. Root in
 * a user namespace alone (`unshare -U`) has not.
 */
export function readPrivilege(ctx: Context): Privilege {
  const status = readFileSync("/proc/self/status", "utf8");
  const isInside = isInUserNamespace();
  return {
    boundingSet: parseBoundingSet(status),
    isInUserNamespace: isInside,
    mayMount: hasSysAdmin(status) && (!isInside || ownsMountNamespace(ctx)),
  };
}

/** CAP_SYS_ADMIN in the effective set, in its own user namespace. */
function hasSysAdmin(status: string): boolean {
  const effective = BigInt(`0x${/^CapEff:\t([0-9a-f]+)$/m.exec(status)?.[1] ?? "0"}`);
  return ((effective >> BigInt(capabilityNumber("CAP_SYS_ADMIN") as number)) & 1n) === 1n;
}

/** ioctl_nsfs(2): whether the owner of the mount namespace is this process's user namespace. */
function ownsMountNamespace(ctx: Context): boolean {
  const libc = loadLibc(ctx.installDir);
  const mount = openSync("/proc/self/ns/mnt", "r");
  try {
    const owner = libc.ioctl(mount, NS_GET_USERNS, null);
    if (owner >= 0) {
      const isOwn = readlinkSync(`/proc/self/fd/${owner}`) === readlinkSync("/proc/self/ns/user");
      closeFd(libc, owner);
      return isOwn;
    }
    // EPERM: the owner is out of this namespace's sight, an ancestor.
    if (libc.errno() === 1) return false;
    throw new SyscallError("look at the mount namespace", "ioctl(NS_GET_USERNS)", libc.errno());
  } finally {
    closeSync(mount);
  }
}

/** CapBnd of /proc/PID/status. */
export function parseBoundingSet(status: string): bigint {
  const match = /^CapBnd:\t([0-9a-f]+)$/m.exec(status);
  if (!match) throw new TsruncError("/proc/self/status has no CapBnd");
  return BigInt(`0x${match[1]}`);
}
