// Hands a container's cgroup to the user that its process runs as ("Cgroup ownership" of config-linux.md; cgroups(7)
// "Cgroups delegation"): such as a systemd in a container, which makes cgroups of its own.
import { chownSync } from "node:fs";
import { posix } from "node:path";
import { toSyscallError } from "../errors.ts";
import type { Config } from "../spec/config-schema.ts";
import { isErrno, readIfThere } from "./write.ts";

const ENOENT = 2;
/** What kernels without the list have. */
const DELEGATED = "cgroup.procs\ncgroup.subtree_control\ncgroup.threads\n";

/**
 * The host's uid of the process's user, if the container shall own its cgroup: in a cgroup namespace of its own, with
 * a writable mount of type cgroup. Only for cgroup v2; delegation is not secure on v1.
 */
export function findCgroupOwner({ linux, mounts, process }: Config): number | undefined {
  const hasNamespace = linux?.namespaces?.some(({ type, path }) => type === "cgroup" && path === undefined);
  const isWritable = mounts?.some(
    ({ source, destination, options = [] }) =>
      source === "cgroup" && posix.resolve("/", destination) === "/sys/fs/cgroup" && !options.includes("ro"),
  );
  if (!hasNamespace || !isWritable || process === undefined) return undefined;
  const { uid } = process.user;
  if (!linux?.namespaces?.some(({ type }) => type === "user")) return uid;
  const mapping = linux.uidMappings?.find(
    ({ containerID, size }) => uid >= containerID && uid < containerID + size,
  );
  return mapping && mapping.hostID + uid - mapping.containerID;
}

/** Changes the owner of a cgroup's directory and of those of its files that may be delegated. Throws SyscallError. */
export function giveCgroup(dir: string, uid: number): void {
  const names = (readIfThere("/sys/kernel/cgroup/delegate") ?? DELEGATED).split("\n");
  for (const path of [dir, ...names.filter((name) => name !== "").map((name) => `${dir}/${name}`)]) {
    try {
      chownSync(path, uid, -1);
    } catch (error) {
      // Not every cgroup has every file of the list.
      if (path !== dir && isErrno(error, ENOENT)) continue;
      const call = `chown(${JSON.stringify(path)}, ${uid}, -1)`;
      throw toSyscallError(error, "give the container its cgroup", call);
    }
  }
}
