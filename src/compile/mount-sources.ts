// What is mounted from the host: detached copies of trees, which inside the container are only moved into place.
//
// With a user namespace or a mount namespace that is joined they are opened before init enters any namespace, with the
// caller's privilege. Otherwise each is opened when its turn comes: the container's mount namespace is a copy of the
// runtime's, the privilege is the same, and only so does /proc/PID/mountinfo list the mounts in their order, which
// since Linux 6.8 is that of their making, not of their attachment. A caller who may not mount at all (rootless) has
// no other time either: init may, in its own mount namespace.
import { posix } from "node:path";
import { ConfigError } from "../errors.ts";
import { MOUNT_ATTR, type MS } from "../linux/mount-flags.ts";
import { isTmpfsOption, type MountOptions, parseMountOptions } from "../linux/mount-options.ts";
import type { PlanBuilder } from "../plan/build.ts";
import type { Result } from "../plan/step.ts";
import type { Config, LinuxDevice, Mount } from "../spec/config.ts";
import { isBoundDevice, listDevices } from "./devices.ts";
import type { Facts } from "./facts.ts";
import { type IdNamespaces, mapIds } from "./idmap.ts";
import { cloneTree, setAttributes, setPropagation } from "./mount-calls.ts";
import { cleanPath } from "./mount-target.ts";
import { hasNamespace, type NamespaceSet, readNamespaces } from "./namespaces.ts";

/** Descriptors in init of detached mount trees. */
export interface MountSources {
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

/** Path of a bind mount's source; a relative one counts from the bundle. */
export function resolveSource(bundle: string, source: string): string {
  return posix.resolve(bundle, source);
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
 * Opens what must be opened early. For the caller's mount namespace and privilege, when the container's cgroups exist.
 * Leaves the working directory at the root file system's path: see `attachRootfs`.
 */
export function openMountSources(
  p: PlanBuilder,
  config: Config,
  facts: Facts,
  ids: IdNamespaces = {},
): MountSources {
  const open = (index: number, mount: Mount, options: MountOptions): Result => {
    const tree = openBind(p, config, facts, index, mount, options);
    mapIds(p, config, mount, tree, ids);
    return tree;
  };
  const namespaces = readNamespaces(config);
  const binds = new Map<number, Result>();
  const cgroups = new Map<number, readonly Result[]>();
  const { mayMount } = facts;
  const own = hasNamespace(namespaces, "mount");
  const rootfs = own && mayMount ? openRootfs(p, config, facts, namespaces) : undefined;
  const bindsCgroups = !hasNamespace(namespaces, "cgroup");
  const mayNotLater = hasNamespace(namespaces, "user") || namespaces.joined.has("mount");
  const bindsDevices = hasNamespace(namespaces, "user") || facts.isInUserNamespace;
  const devices = mayMount && bindsDevices ? openDevices(p, config) : new Map<string, Result>();
  if (mayMount && mayNotLater)
    for (const [index, mount] of (config.mounts ?? []).entries()) {
      const options = parseMountOptions(mount.options ?? []);
      p.at(`mounts[${index}]`, describeMount(mount, options), () => {
        if (isBindMount(mount, options)) binds.set(index, open(index, mount, options));
        else if (isCgroupMount(mount, facts) && bindsCgroups)
          cgroups.set(index, openCgroups(p, config, facts, options));
      });
    }
  return {
    takeRootfs: () => rootfs ?? (own ? openRootfs(p, config, facts, namespaces) : undefined),
    takeBind: (index, mount, options) => binds.get(index) ?? open(index, mount, options),
    takeCgroups: (index, options) =>
      bindsCgroups ? (cgroups.get(index) ?? openCgroups(p, config, facts, options)) : undefined,
    takeDevice: (device, path) =>
      bindsDevices && isBoundDevice(device) ? (devices.get(path) ?? openDevice(p, path)) : undefined,
  };
}

/** `cgroup` is special on every host, `cgroup2` only where the container has a cgroup of version 2. */
export function isCgroupMount(mount: Mount, facts: Facts): boolean {
  return mount.type === "cgroup" || (mount.type === "cgroup2" && facts.cgroupMounts.unified !== undefined);
}

type Propagating = { readonly flag: keyof typeof MS; readonly recursive: boolean };

/** The rootfs tree never shares anything with the host: what it is to be in the end is set in `finishRootfs`. */
function openRootfs(p: PlanBuilder, config: Config, facts: Facts, namespaces: NamespaceSet): Result {
  return p.at("root.path", `open the root file system ${facts.rootfs}`, () => {
    const tree = cloneTree(p, facts.rootfs, true, "rootfs");
    const wanted = config.linux?.rootfsPropagation?.replace(/^r/, "");
    const isPrivate = wanted === "private" || wanted === "unbindable";
    setPropagation(p, tree, { flag: isPrivate ? "MS_PRIVATE" : "MS_SLAVE", recursive: true });
    // As runc leaves it since 1.2: only with `slave` do the host's later mounts reach the root itself.
    if (!isPrivate && wanted !== "slave") setPropagation(p, tree, { flag: "MS_PRIVATE", recursive: false });
    if (namespaces.created.has("mount") && facts.mayMount) p.call("chdir", [facts.rootfs]);
    return tree;
  });
}

/**
 * Propagation that a tree from the host has before its own options: what the container's mount namespace would
 * have given it. With `shared` mounts made in the container reach the host, which is what it is for.
 */
function inheritedPropagation(config: Config): Propagating | undefined {
  switch (config.linux?.rootfsPropagation) {
    case "shared":
      return undefined;
    case "rshared":
      return { flag: "MS_SHARED", recursive: true };
    case "private":
    case "rprivate":
    case "unbindable":
    case "runbindable":
      return { flag: "MS_PRIVATE", recursive: true };
    default:
      return { flag: "MS_SLAVE", recursive: true };
  }
}

function cloneSource(p: PlanBuilder, config: Config, path: string, recursive: boolean, name: string): Result {
  const tree = cloneTree(p, path, recursive, name);
  const propagation = inheritedPropagation(config);
  if (propagation) setPropagation(p, tree, propagation);
  return tree;
}

/** What the source's mount has already, such as nosuid, it keeps unless an option clears it. */
function applyAttributes(p: PlanBuilder, tree: Result, options: MountOptions): void {
  setAttributes(p, tree, options.attributes);
  setAttributes(p, tree, options.recursiveAttributes, true);
}

function openBind(
  p: PlanBuilder,
  config: Config,
  facts: Facts,
  index: number,
  mount: Mount,
  options: MountOptions,
): Result {
  const refused = options.data.filter((option) => !isTmpfsOption(option)); // those have been warned about
  if (refused.length > 0)
    throw new ConfigError("config.json", [
      {
        path: `mounts[${index}].options`,
        message: `a bind mount takes no options of a file system, and has ${JSON.stringify(refused.join(","))}`,
      },
    ]);
  const source = resolveSource(facts.bundle, mount.source ?? "");
  const tree = cloneSource(p, config, source, options.bind === "recursive", "source");
  applyAttributes(p, tree, options);
  if (source === "/sys" && (options.attributes.set & MOUNT_ATTR.MOUNT_ATTR_RDONLY) !== 0)
    protectCgroups(p, facts, tree);
  return tree;
}

function openCgroups(p: PlanBuilder, config: Config, facts: Facts, options: MountOptions): readonly Result[] {
  const { unified, hierarchies } = facts.cgroupMounts;
  const directories = unified === undefined ? hierarchies.map(({ source }) => source) : [unified];
  const propagation = inheritedPropagation(config)?.flag;
  return directories.map((directory) => {
    const tree = cloneTree(p, directory, false, "cgroup"); // nothing is mounted within cgroups
    setAttributes(p, tree, { ...options.attributes, propagation });
    setAttributes(p, tree, options.recursiveAttributes, true);
    protectCgroups(p, facts, tree);
    return tree;
  });
}

/**
 * CVE-2023-25809: what shows the host's cgroups to a rootless container is read-only all the way down. Its caller may
 * write to some of them, and so could the container, which is its caller to the kernel.
 */
function protectCgroups(p: PlanBuilder, facts: Facts, tree: Result): void {
  if (facts.mayMount && !facts.isInUserNamespace) return;
  setAttributes(p, tree, { set: MOUNT_ATTR.MOUNT_ATTR_RDONLY, clear: 0 }, true);
}

function openDevices(p: PlanBuilder, config: Config): ReadonlyMap<string, Result> {
  const opened = new Map<string, Result>();
  for (const { device, path } of listDevices(config)) {
    if (!isBoundDevice(device)) continue;
    const clean = cleanPath(device.path);
    p.at(path, `open the host's ${device.path}`, () => opened.set(clean, openDevice(p, clean)));
  }
  return opened;
}

function openDevice(p: PlanBuilder, path: string): Result {
  const tree = cloneTree(p, path, false, "device");
  setPropagation(p, tree, { flag: "MS_PRIVATE", recursive: false });
  return tree;
}
