// What a mount of type cgroup shows of the container's cgroups.
import { posix } from "node:path";
import type { CgroupMounts } from "../compile/facts.ts";
import type { CgroupLayout, CgroupRecord } from "./types.ts";

/**
 * v2: the container's one directory. v1 and hybrid: a mount for each v1 hierarchy that the container is in, named
 * as on the host, and for hierarchies of several controllers (`cpu,cpuacct`) a link for each of these.
 */
export function listCgroupMounts(layout: CgroupLayout, record: CgroupRecord): CgroupMounts {
  if (record.mode === "v2") {
    // A rootless container without a cgroup of its own is in the caller's.
    const dir =
      record.paths.unified ?? (layout.unified && `${layout.unified.mountPoint}${layout.unified.own}`);
    return { ...(dir === undefined ? {} : { unified: dir }), hierarchies: [], links: [] };
  }
  const hierarchies = new Map<string, string>();
  for (const [controller, { mountPoint }] of layout.controllers) {
    const source = record.paths[controller];
    if (source !== undefined) hierarchies.set(posix.basename(mountPoint), source);
  }
  const links = [...hierarchies.keys()]
    .filter((name) => name.includes(","))
    .flatMap((target) => target.split(",").map((name) => ({ name, target })));
  return { hierarchies: [...hierarchies].map(([name, source]) => ({ source, name })), links };
}
