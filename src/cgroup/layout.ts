// Finds out which cgroup hierarchies this host has and where this process is in them.
import { readFileSync } from "node:fs";
import { decodeOctal } from "../linux/mountinfo.ts";
import type { CgroupLayout, Hierarchy } from "./types.ts";

const ROOT = "/sys/fs/cgroup";
const HYBRID = "/sys/fs/cgroup/unified";

interface CgroupMount {
  readonly mountPoint: string;
  readonly root: string;
  /** Version of the cgroup file system; 0: another file system on top of its place. */
  readonly version: 0 | 1 | 2;
  /** Options of the superblock: the controllers of a v1 hierarchy are among them. */
  readonly options: readonly string[];
}

/** The layout of the runtime namespace. Throws the file system's error if /proc is not there. */
export function readCgroupLayout(): CgroupLayout {
  return detectCgroupLayout(
    readFileSync("/proc/self/mountinfo", "utf8"),
    readFileSync("/proc/self/cgroup", "utf8"),
  );
}

/** The layout that a /proc/self/mountinfo (proc_pid_mountinfo(5)) and a /proc/self/cgroup (cgroups(7)) tell of. */
export function detectCgroupLayout(mountinfo: string, selfCgroup: string): CgroupLayout {
  const mounts = parseMounts(mountinfo);
  const own = parseOwn(selfCgroup);
  const whole = findUnified(mounts, ROOT, own);
  if (whole) return { mode: "v2", controllers: new Map(), unified: whole };
  const controllers = findControllers(mounts, own);
  const unified = findUnified(mounts, HYBRID, own);
  if (controllers.size === 0) return { mode: "none", controllers };
  return unified ? { mode: "hybrid", controllers, unified } : { mode: "v1", controllers };
}

function findUnified(
  mounts: readonly CgroupMount[],
  mountPoint: string,
  own: ReadonlyMap<string, string>,
): Hierarchy | undefined {
  // The last mount on a path hides those before it.
  const mount = mounts.findLast((m) => m.mountPoint === mountPoint);
  if (mount?.version !== 2) return undefined;
  return { mountPoint, root: mount.root, own: own.get("") ?? "/" };
}

/** Each controller's hierarchy; of several mounts the first one below /sys/fs/cgroup. */
function findControllers(
  mounts: readonly CgroupMount[],
  own: ReadonlyMap<string, string>,
): ReadonlyMap<string, Hierarchy> {
  const controllers = new Map<string, Hierarchy>();
  const isStandard = (m: CgroupMount): boolean => m.mountPoint.startsWith(`${ROOT}/`);
  for (const mount of [...mounts.filter(isStandard), ...mounts.filter((m) => !isStandard(m))]) {
    if (mount.version !== 1) continue;
    for (const option of mount.options) {
      const path = own.get(option);
      if (path === undefined || controllers.has(option)) continue;
      controllers.set(option, { mountPoint: mount.mountPoint, root: mount.root, own: path });
    }
  }
  return controllers;
}

/** The cgroup file systems of a mountinfo, and what is mounted at their places, in its order. */
function parseMounts(mountinfo: string): readonly CgroupMount[] {
  const mounts: CgroupMount[] = [];
  for (const line of mountinfo.split("\n")) {
    // Most of a busy host's table is about containers.
    if (!line.includes(" - cgroup") && !line.includes(ROOT)) continue;
    const end = line.indexOf(" - ");
    const [, , , root, mountPoint] = line.slice(0, end).split(" ");
    const [type, , options] = line.slice(end + 3).split(" ");
    if (root === undefined || mountPoint === undefined || options === undefined) continue;
    mounts.push({
      mountPoint: decodeOctal(mountPoint),
      root: decodeOctal(root),
      version: type === "cgroup" ? 1 : type === "cgroup2" ? 2 : 0,
      options: options.split(","),
    });
  }
  return mounts;
}

/** `cpu` → `/a/b`; the key of the cgroup2 hierarchy is the empty string. */
function parseOwn(selfCgroup: string): ReadonlyMap<string, string> {
  const own = new Map<string, string>();
  for (const line of selfCgroup.split("\n")) {
    const match = /^\d+:([^:]*):(.*)$/.exec(line);
    if (!match) continue;
    const [, controllers = "", path = "/"] = match;
    for (const controller of controllers.split(",")) own.set(controller, path);
  }
  return own;
}
