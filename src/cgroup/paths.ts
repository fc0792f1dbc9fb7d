// Where the container's cgroup is in each hierarchy ("Cgroups Path" of config-linux.md; as runc's cgroupfs driver).
import { posix } from "node:path";
import { TsruncError } from "../errors.ts";
import type { CgroupDirectory, CgroupLayout, CgroupRecord, CgroupRequest, Hierarchy } from "./types.ts";
import { placeUnit } from "./unit.ts";

/**
 * The v1 hierarchies that a container joins, in that order. Named ones but systemd's belong to other service
 * managers, which would stop the container with the service that started it or lose track of it.
 */
// biome-ignore format: a list
const JOINED = [
  "cpuset", "devices", "memory", "cpu", "cpuacct", "pids", "blkio", "hugetlb", "net_cls", "net_prio",
  "perf_event", "freezer", "rdma", "name=systemd", "misc",
];

export interface CgroupPlacement {
  readonly record: CgroupRecord;
  readonly directories: readonly CgroupDirectory[];
}

/**
 * The container's directories. An absolute cgroupsPath counts from the mount point, a relative one from the cgroup
 * of this process (v1) or its parent (v2: a cgroup with processes cannot have controllers below it); without one
 * it is the container's id, relative. With the systemd driver they are where systemd has the unit. Throws
 * TsruncError if the host has no cgroups.
 */
export function placeCgroup(layout: CgroupLayout, request: CgroupRequest): CgroupPlacement {
  const { mode, unified, controllers } = layout;
  if (mode === "none") throw new TsruncError("no cgroup mount found in mountinfo");
  const unit = request.systemd && placeUnit(request, request.systemd);
  if (unit && request.systemd?.isUser && mode !== "v2")
    throw new TsruncError("systemd cgroups of an ordinary user need cgroup v2");
  const inner = unit?.cgroup ?? findInnerPath(request);
  const paths: Record<string, string> = {};
  const directories = new Map<string, { hierarchies: string[]; mountPoint: string; path: string }>();
  const add = (name: string, mountPoint: string, path: string): void => {
    paths[name] = path;
    const known = directories.get(path);
    if (known) known.hierarchies.push(name);
    else directories.set(path, { hierarchies: [name], mountPoint, path });
  };
  if (mode !== "v2") {
    // Without it the container would have every device of the host.
    if (!controllers.has("devices")) {
      throw new TsruncError("linux.resources.devices: the devices controller is not mounted");
    }
    for (const name of JOINED) {
      const hierarchy = controllers.get(name);
      if (!hierarchy) continue;
      const base = inner.startsWith("/") ? hierarchy.mountPoint : ownDirectory(hierarchy, hierarchy.own);
      add(name, hierarchy.mountPoint, unit ? ownDirectory(hierarchy, inner) : posix.join(base, inner));
    }
  }
  if (unified) {
    // On a hybrid host nothing is limited through cgroup2, but it is joined for cgroup.kill, and a relative path
    // counts from its root: as runc since 1.1.
    const isBelowOwn = mode === "v2" && !inner.startsWith("/");
    const base = isBelowOwn ? ownDirectory(unified, posix.dirname(unified.own)) : unified.mountPoint;
    add("unified", unified.mountPoint, unit ? ownDirectory(unified, inner) : posix.join(base, inner));
  }
  const record: CgroupRecord =
    unit && request.systemd
      ? { driver: "systemd", unit: { name: unit.name, isUser: request.systemd.isUser }, mode, paths }
      : { driver: "cgroupfs", mode, paths };
  return { record, directories: [...directories.values()] };
}

/** The cleaned cgroupsPath, or the id: absolute or relative, without `..` and never the hierarchy's root. */
function findInnerPath({ cgroupsPath = "", id }: CgroupRequest): string {
  const inner = cleanPath(cgroupsPath) || cleanPath(id);
  if (inner === "" || inner === "/") {
    const value = JSON.stringify(cgroupsPath || id);
    throw new TsruncError(`linux.cgroupsPath: ${value} is the root of the cgroup hierarchy`);
  }
  return inner;
}

/** `..` ends at the root, whether the path is absolute or relative: it cannot climb out of its base. */
function cleanPath(path: string): string {
  const absolute = posix.resolve("/", path);
  return path.startsWith("/") ? absolute : absolute.slice(1);
}

/** The directory of a cgroup, seen through a mount that may show only a part of the hierarchy. */
function ownDirectory(hierarchy: Hierarchy, cgroup: string): string {
  const { mountPoint, root } = hierarchy;
  const relative = posix.relative(root, cgroup);
  const isVisible = relative !== ".." && !relative.startsWith("../");
  return isVisible ? posix.join(mountPoint, relative) : mountPoint;
}
