// Which kernel parameters belong to a namespace, and so to a container (namespaces(7), sysctl(8)).
import type { NamespaceType } from "./namespaces.ts";

/** Parameters of System V IPC that are per ipc namespace. POSIX message queues are below fs/mqueue. */
const IPC = new Set([
  "kernel/msgmax",
  "kernel/msgmnb",
  "kernel/msgmni",
  "kernel/sem",
  "kernel/shmall",
  "kernel/shmmax",
  "kernel/shmmni",
  "kernel/shm_rmid_forced",
]);

/**
 * Path below /proc/sys of a parameter: `net.ipv4.ip_forward` and `net/ipv4/ip_forward` are the same, and the first
 * separator says which of the two forms it is (sysctl.d(5): `net/ipv4/conf/eno2.100/rp_filter` is also
 * `net.ipv4.conf.eno2/100.rp_filter`).
 * @returns undefined if it is no such path: empty parts, `.`, `..`
 */
export function sysctlPath(name: string): string | undefined {
  const dot = name.indexOf(".");
  const slash = name.indexOf("/");
  const dotted = dot >= 0 && (slash < 0 || dot < slash);
  const parts = name.split(dotted ? "." : "/");
  let path = "";
  for (const part of parts) {
    const own = dotted && slash >= 0 ? part.replaceAll("/", ".") : part;
    if (own === "" || own === "." || own === "..") return undefined;
    path += path === "" ? own : `/${own}`;
  }
  return path;
}

/** Type of the namespace that the parameter at a path below /proc/sys belongs to; undefined if to none. */
export function sysctlNamespace(path: string): NamespaceType | undefined {
  if (IPC.has(path) || path.startsWith("fs/mqueue/")) return "ipc";
  if (path.startsWith("net/")) return "network";
  if (path === "kernel/hostname" || path === "kernel/domainname") return "uts";
  if (path.startsWith("user/")) return "user";
  return undefined;
}
