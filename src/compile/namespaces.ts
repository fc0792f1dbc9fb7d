// Joining and making the container's namespaces. Order and privilege: user_namespaces(7), setns(2), unshare(2).
import { errnoNumber } from "../linux/errno.ts";
import { STATX, STATX_OFFSETS, STATX_SIZE } from "../linux/mount-flags.ts";
import { NAMESPACE_TYPES, NAMESPACES, type NamespaceType } from "../linux/namespaces.ts";
import { AT_FDCWD, flags, load, NULL, openFlags, type PlanBuilder, struct, u64 } from "../plan/build.ts";
import type { LoadArg, NumberArg, Result } from "../plan/step.ts";
import type { Config } from "../spec/config.ts";
import { statFd } from "./mount-calls.ts";
import { ALL_BITS, failAlways } from "./mount-target.ts";

const NS_GET_NSTYPE: NumberArg = { kind: "number", value: 0xb703, text: "NS_GET_NSTYPE" };
const CLONE_PARENT: NumberArg = { kind: "number", value: 0x8000, text: "CLONE_PARENT" };
const CLONE_PARENT_INTO_CGROUP: NumberArg = {
  kind: "number",
  value: 0x2_0000_8000,
  text: "CLONE_PARENT|CLONE_INTO_CGROUP",
};
const SIOCGIFFLAGS_SIZE = 40; // struct ifreq
const IFF_UP_RUNNING = 0x41;

export interface NamespaceSet {
  /** Types that get a new namespace. */
  readonly created: ReadonlySet<NamespaceType>;
  /** Types that are joined, with the index in linux.namespaces and the path. */
  readonly joined: ReadonlyMap<NamespaceType, { readonly index: number; readonly path: string }>;
}

export function readNamespaces(config: Config): NamespaceSet {
  const created = new Set<NamespaceType>();
  const joined = new Map<NamespaceType, { index: number; path: string }>();
  for (const [index, namespace] of (config.linux?.namespaces ?? []).entries()) {
    if (namespace.path === undefined || namespace.path === "") created.add(namespace.type);
    else joined.set(namespace.type, { index, path: namespace.path });
  }
  return { created, joined };
}

export function hasNamespace(set: NamespaceSet, type: NamespaceType): boolean {
  return set.created.has(type) || set.joined.has(type);
}

/** A CLONE_NEW* flag as an argument. */
export function namespaceFlags(types: Iterable<NamespaceType>): NumberArg {
  let value = 0;
  const names: string[] = [];
  for (const type of types) {
    value += NAMESPACES[type][0];
    names.push(NAMESPACES[type][1]);
  }
  return { kind: "number", value, text: names.join("|") || "0" };
}

/**
 * Opens the namespaces that are joined by path, before anything else has changed what a path means, and checks
 * that each is of its type.
 */
export function openJoinedNamespaces(p: PlanBuilder, set: NamespaceSet): ReadonlyMap<NamespaceType, Result> {
  const opened = new Map<NamespaceType, Result>();
  for (const [type, { index, path }] of set.joined) {
    p.at(`linux.namespaces[${index}].path`, `join the ${type} namespace ${path}`, () => {
      const fd = p.call("openat", [AT_FDCWD, path, openFlags("O_RDONLY", "O_CLOEXEC")], {
        name: `${type}_ns`,
      });
      const failure = `linux.namespaces[${index}].path: ${path} is not a ${type} namespace`;
      const actual = p.call("ioctl", [fd, NS_GET_NSTYPE, NULL], { failure });
      p.check(actual, 0xffffffffn, NAMESPACES[type][0], errnoNumber("EINVAL"), { failure });
      if (type === "mount") refuseOwnMounts(p, fd, `linux.namespaces[${index}].path: ${path}`);
      opened.set(type, fd);
    });
  }
  return opened;
}

/** The container's root takes the place of the namespace's: in the runtime's own, of the host's. */
function refuseOwnMounts(p: PlanBuilder, fd: Result, subject: string): void {
  const mask = flags(STATX, "STATX_INO");
  const [joined, own] = [p.buffer(STATX_SIZE, "joined"), p.buffer(STATX_SIZE, "own")];
  statFd(p, fd, mask, joined);
  p.call("statx", [AT_FDCWD, "/proc/self/ns/mnt", 0, mask, own]);
  const [a, b] = [joined, own].map((stat) => load(stat, STATX_OFFSETS.ino, 8, "stx_ino")) as [
    LoadArg,
    LoadArg,
  ];
  p.call("check", [a, ALL_BITS, b, errnoNumber("EXDEV")], {
    tolerate: ["EXDEV"],
    onSuccess: () =>
      failAlways(
        p,
        "EPERM",
        `${subject} is the runtime's own mount namespace: without the entry it is shared`,
      ),
  });
}

/**
 * Enters the joined namespaces, the user namespace last: until then the caller's privilege over all the others
 * holds. A pid or time namespace takes effect in the next child.
 */
export function joinNamespaces(p: PlanBuilder, opened: ReadonlyMap<NamespaceType, Result>): void {
  for (const type of NAMESPACE_TYPES) {
    if (type !== "user") joinNamespace(p, type, opened.get(type));
  }
  joinNamespace(p, "user", opened.get("user"));
}

function joinNamespace(p: PlanBuilder, type: NamespaceType, fd: Result | undefined): void {
  if (!fd) return;
  p.at("linux.namespaces", `join the ${type} namespace`, () => {
    p.call("setns", [fd, namespaceFlags([type])]);
    p.call("close", [fd]);
  });
}

/** Makes the new user namespace, which owns all namespaces made after it. `euid`: the caller's. */
export function createUserNamespace(p: PlanBuilder, config: Config, euid: number): void {
  p.at("linux.namespaces", "create the user namespace", () => {
    p.call("unshare", [namespaceFlags(["user"])]);
    const { uidMappings: uid = [], gidMappings: gid = [] } = config.linux ?? {};
    if (euid !== 0) {
      // The files of /proc/PID are the user's for as long as init is dumpable: nothing of the container is near yet.
      setDumpable(p, true);
      p.host({ do: "map-ids", uid, gid, deniesGroups: true });
      return;
    }
    for (const kind of ["uid", "gid"] as const) {
      const mappings = config.linux?.[`${kind}Mappings`] ?? [];
      const lines = mappings.map((m) => `${m.containerID} ${m.hostID} ${m.size}\n`);
      p.at(`linux.${kind}Mappings`, `map ${kind}s`, () =>
        p.host({ do: "write-proc", of: "launcher", file: `${kind}_map`, value: lines.join("") }),
      );
    }
  });
}

/**
 * Becomes root of the user namespace; the ids that the caller had may mean nobody there. Then nobody may look into
 * init, unless it is to be dumpable: see `isOpenToCaller`.
 */
export function becomeRoot(p: PlanBuilder, isDumpable = false): void {
  p.at("linux.namespaces", "become root in the user namespace", () => {
    p.call("setresgid", [0, 0, 0]);
    p.call("setresuid", [0, 0, 0]);
    // A change of ids makes a process dumpable as fs.suid_dumpable says, whatever it was before.
    setDumpable(p, isDumpable);
  });
}

/**
 * Whether init is dumpable until `start`. An ordinary user could otherwise not join its namespaces, which hooks and
 * network helpers do: the kernel asks for leave to trace it. In a user namespace that was made for it nobody else has
 * that, since no other process has capabilities there; so it is with runc.
 */
export function isOpenToCaller(namespaces: NamespaceSet, euid: number): boolean {
  return euid !== 0 && namespaces.created.has("user");
}

/** Nobody may trace this process or read its /proc entries by being root in some user namespace. */
export function setNotDumpable(p: PlanBuilder): void {
  setDumpable(p, false);
}

function setDumpable(p: PlanBuilder, isDumpable: boolean): void {
  const PR_SET_DUMPABLE: NumberArg = { kind: "number", value: 4, text: "PR_SET_DUMPABLE" };
  p.call("prctl", [PR_SET_DUMPABLE, Number(isDumpable), 0, 0, 0]);
}

/** Makes all new namespaces but user and cgroup: the latter's root is the cgroup that its maker is in. */
export function createNamespaces(p: PlanBuilder, config: Config, set: NamespaceSet): void {
  const types = NAMESPACE_TYPES.filter(
    (type) => type !== "user" && type !== "cgroup" && set.created.has(type),
  );
  if (types.length > 0)
    p.at("linux.namespaces", `create the ${types.join(", ")} namespaces`, () => {
      p.call("unshare", [namespaceFlags(types)]);
    });
  const offsets = Object.entries(config.linux?.timeOffsets ?? {});
  if (set.created.has("time") && offsets.length > 0)
    p.at("linux.timeOffsets", "set the clocks of the time namespace", () => {
      const lines = offsets.map(([clock, { secs, nanosecs }]) => `${clock} ${secs ?? 0} ${nanosecs ?? 0}\n`);
      p.host({ do: "write-proc", of: "launcher", file: "timens_offsets", value: lines.join("") });
    });
}

/**
 * Forks: the child is the first process of a new or joined pid or time namespace, and a child of tsrunc. `cgroup`:
 * directory of the cgroup2 cgroup that it begins in; closed in it.
 */
export function forkContainer(p: PlanBuilder, cgroup?: Result): void {
  p.at("linux.namespaces", "create the container's process", () => {
    const args = struct(
      u64("flags", cgroup ? CLONE_PARENT_INTO_CGROUP : CLONE_PARENT),
      u64("pidfd", 0),
      u64("child_tid", 0),
      u64("parent_tid", 0),
      u64("exit_signal", 0), // with CLONE_PARENT: the parent's, SIGCHLD
      u64("stack", 0),
      u64("stack_size", 0),
      u64("tls", 0),
      ...(cgroup ? [u64("set_tid", 0), u64("set_tid_size", 0), u64("cgroup", cgroup)] : []),
    );
    p.call("fork", [args, cgroup ? 88 : 64]);
    if (cgroup) p.call("close", [cgroup]);
  });
}

export function createCgroupNamespace(p: PlanBuilder): void {
  p.at("linux.namespaces", "create the cgroup namespace", () => {
    p.call("unshare", [namespaceFlags(["cgroup"])]);
  });
}

/** A new network namespace has a loopback device that is down; its process expects 127.0.0.1 (runtime-spec). */
export function bringLoopbackUp(p: PlanBuilder): void {
  p.at("linux.namespaces", "bring the loopback device up", () => {
    const request = new Uint8Array(SIOCGIFFLAGS_SIZE);
    request.set(new TextEncoder().encode("lo"));
    new DataView(request.buffer).setInt16(16, IFF_UP_RUNNING, true);
    const [AF_INET, SOCK_DGRAM_CLOEXEC] = [2, 2 | 0o2000000];
    const socket = p.call("socket", [AF_INET, SOCK_DGRAM_CLOEXEC, 0], { name: "socket" });
    p.call("ioctl", [
      socket,
      { kind: "number", value: 0x8914, text: "SIOCSIFFLAGS" },
      { kind: "bytes", value: request, text: '{ifr_name="lo", ifr_flags=IFF_UP|IFF_RUNNING}' },
    ]);
    p.call("close", [socket]);
  });
}
