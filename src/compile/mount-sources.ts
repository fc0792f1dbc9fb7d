// What is mounted from the host: detached copies of trees, which inside the container are only moved into place.
//
// With a user namespace they are opened all at once by a helper that has the caller's privilege (tree-helper.ts), with
// a mount namespace that is joined before init enters any namespace. Otherwise each is opened when its turn comes: the
// container's mount namespace is a copy of the runtime's, the privilege is the same, and only so does
// /proc/PID/mountinfo list the mounts in their order, which since Linux 6.8 is that of their making, not of their
// attachment. A caller who may not mount at all (rootless) has no other time either: init may, in its own mount
// namespace.
import { type MountOptions, parseMountOptions } from "../linux/mount-options.ts";
import type { PlanBuilder } from "../plan/build.ts";
import type { Result } from "../plan/step.ts";
import type { Config, LinuxDevice, Mount } from "../spec/config.ts";
import { isBoundDevice, listDevices } from "./devices.ts";
import type { Facts } from "./facts.ts";
import { duplicate } from "./helper.ts";
import { listCgroups, type Opener, openBind, openCgroup, openDevice, openRootfs } from "./host-trees.ts";
import type { IdNamespaces } from "./idmap.ts";
import { cleanPath } from "./mount-target.ts";
import { hasNamespace, readNamespaces } from "./namespaces.ts";
import { startTreeHelper } from "./tree-helper.ts";

const KEEP = "keep the joined user namespace for id-mapped mounts";
/** Descriptors in init of detached mount trees. */
export interface MountSources {
  /** For init in the container's new namespaces, before it forks: takes what the helper has opened, if there is one. */
  readonly receive: () => void;
  /** The root file system, opened now if it is not yet; undefined without a mount namespace of the container's own. */
  readonly takeRootfs: () => Result | undefined;
  /** The tree of a bind mount, `mounts[index]`; opened now if it is not yet. */
  readonly takeBind: (index: number, mount: Mount, options: MountOptions) => Result;
  /**
   * For `mounts[index]` of type cgroup: one tree on v2, one a hierarchy on v1; undefined with a cgroup namespace, in
   * which they are mounted anew.
   */
  readonly takeCgroups: (index: number, options: MountOptions) => readonly Result[] | undefined;
  /** The host's device of that clean path, for a container that may not make any. */
  readonly takeDevice: (device: LinuxDevice, path: string) => Result | undefined;
}

/** Also with type `bind` alone, as crun takes it; with the option, the type means nothing. */
export function isBindMount(mount: Mount, options: MountOptions): boolean {
  return options.bind !== undefined || mount.type === "bind";
}

/** How an entry of mounts[] is told in plans and errors. */
export function describeMount(mount: Mount, options: MountOptions): string {
  const what = isBindMount(mount, options) ? `bind ${mount.source ?? ""}` : (mount.type ?? "remount");
  return `${what} on ${mount.destination}`;
}

/**
 * Opens what must be opened early, or starts the helper that will. For the caller's mount namespace and privilege, when
 * the container's cgroups exist. Leaves the working directory at the root file system's path: see `attachRootfs`.
 */
export function openMountSources(
  p: PlanBuilder,
  config: Config,
  facts: Facts,
  ids: IdNamespaces = {},
): MountSources {
  const namespaces = readNamespaces(config);
  const own = hasNamespace(namespaces, "mount");
  const bindsCgroups = !hasNamespace(namespaces, "cgroup");
  const bindsDevices = hasNamespace(namespaces, "user") || facts.isInUserNamespace;
  const opener: Opener = {
    p,
    config,
    facts,
    ids,
    isLocking: facts.mayMount && hasNamespace(namespaces, "user") && namespaces.created.has("mount"),
  };
  let early: ReadonlyMap<string, Result> = new Map();
  // init closes the first descriptor when it joins the namespace.
  const joined = opener.isLocking && ids.joined ? keepOpen(p, ids.joined) : undefined;
  const helper = opener.isLocking
    ? startTreeHelper(p, () => {
        early = openEarly({ ...opener, ids: { ...ids, joined } });
        return [...early.values()];
      })
    : undefined;
  if (!helper && facts.mayMount) early = openEarly(opener);
  if (namespaces.created.has("mount") && facts.mayMount) keepRootfsPath(p, facts);
  return {
    receive: () => {
      if (!helper) return;
      const trees = helper.receive();
      early = new Map([...early.keys()].map((key, i) => [key, trees[i] as Result]));
      if (joined) p.at("mounts", KEEP, () => p.call("close", [joined]));
    },
    takeRootfs: () => early.get("rootfs") ?? (own ? openRootfs(opener) : undefined),
    takeBind: (index, mount, options) =>
      early.get(`mounts[${index}]`) ?? openBind(opener, index, mount, options),
    takeCgroups: (index, options) =>
      bindsCgroups
        ? listCgroups(facts).map(
            (directory) =>
              early.get(`mounts[${index}]: ${directory}`) ?? openCgroup(opener, directory, options),
          )
        : undefined,
    takeDevice: (device, path) =>
      bindsDevices && isBoundDevice(device) ? (early.get(path) ?? openDevice(p, path)) : undefined,
  };
}

/** What cannot be opened later, by names of this file's. */
function openEarly(opener: Opener): ReadonlyMap<string, Result> {
  const { p, config, facts } = opener;
  const namespaces = readNamespaces(config);
  const trees = new Map<string, Result>();
  if (hasNamespace(namespaces, "mount")) trees.set("rootfs", openRootfs(opener));
  if (hasNamespace(namespaces, "user") || facts.isInUserNamespace)
    for (const { device, path } of listDevices(config)) {
      if (!isBoundDevice(device)) continue;
      const clean = cleanPath(device.path);
      p.at(path, `open the host's ${device.path}`, () => trees.set(clean, openDevice(p, clean)));
    }
  if (!hasNamespace(namespaces, "user") && !namespaces.joined.has("mount")) return trees;
  for (const [index, mount] of (config.mounts ?? []).entries()) {
    const options = parseMountOptions(mount.options ?? []);
    const key = `mounts[${index}]`;
    p.at(key, describeMount(mount, options), () => {
      if (isBindMount(mount, options)) trees.set(key, openBind(opener, index, mount, options));
      else if (isCgroupMount(mount, facts) && !hasNamespace(namespaces, "cgroup"))
        for (const directory of listCgroups(facts))
          trees.set(`${key}: ${directory}`, openCgroup(opener, directory, options));
    });
  }
  return trees;
}

/** The user of a user namespace may not be let through to the path: as a working directory it stays at hand. */
function keepRootfsPath(p: PlanBuilder, { rootfs }: Facts): void {
  p.at("root.path", `open the root file system ${rootfs}`, () => p.call("chdir", [rootfs]));
}

function keepOpen(p: PlanBuilder, fd: Result): Result {
  return p.at("mounts", KEEP, () => duplicate(p, fd, "user_ns"));
}

/** `cgroup` is special on every host, `cgroup2` only where the container has a cgroup of version 2. */
export function isCgroupMount(mount: Mount, facts: Facts): boolean {
  return mount.type === "cgroup" || (mount.type === "cgroup2" && facts.cgroupMounts.unified !== undefined);
}
