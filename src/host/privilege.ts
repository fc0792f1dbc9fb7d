// What this process may do on its host: rootless or not.
import { closeSync, openSync, readlinkSync } from "node:fs";
import { loadLibc } from "../../native-bindings/libc.ts";
import type { Context } from "../context.ts";
import { SyscallError } from "../errors.ts";
import { capabilityNumber } from "../linux/capabilities.ts";
import { closeFd } from "./fd.ts";
import { isInUserNamespace } from "./in-user-namespace.ts";

const NS_GET_USERNS = 0xb701;

/**
 * Whether this process may mount in its own mount namespace: it has CAP_SYS_ADMIN in the user namespace that owns
 * it. Root in a user namespace alone (`unshare -U`) has not. `status` is the text of /proc/self/status.
 */
export function mayMount(ctx: Context, status: string): boolean {
  if (!hasSysAdmin(status)) return false;
  return !isInUserNamespace() || ownsMountNamespace(ctx);
}

/** CAP_SYS_ADMIN in the effective set, in its own user namespace. */
export function hasSysAdmin(status: string): boolean {
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
