// Copies of trees of the host's mounts, each with the propagation and the attributes that it is to have in the container.
import { posix } from "node:path";
import { ConfigError } from "../errors.ts";
import { MOUNT_ATTR, type MS } from "../linux/mount-flags.ts";
import { isTmpfsOption, type MountOptions } from "../linux/mount-options.ts";
import type { PlanBuilder } from "../plan/build.ts";
import type { Result } from "../plan/step.ts";
import type { Config, Mount } from "../spec/config.ts";
import type { Facts } from "./facts.ts";
import { type IdNamespaces, mapIds } from "./idmap.ts";
import { cloneTree, setAttributes, setPropagation } from "./mount-calls.ts";

const LOCKED = {
  errno: "EPERM",
  text: "the source's mount on the host is stricter, and a user namespace may not loosen it",
} as const;
const COVERED = {
  errno: "EINVAL",
  text: "a user namespace may not uncover what mounts below the source cover: rbind takes them along",
} as const;

export interface Opener {
  readonly p: PlanBuilder;
  readonly config: Config;
  readonly facts: Facts;
  readonly ids: IdNamespaces;
  /** The trees are opened where the kernel has locked their attributes. */
  readonly isLocking: boolean;
}

/** Path of a bind mount's source; a relative one counts from the bundle. */
export function resolveSource(bundle: string, source: string): string {
  return posix.resolve(bundle, source);
}

type Propagating = { readonly flag: keyof typeof MS; readonly recursive: boolean };

/** The rootfs tree never shares anything with the host: what it is to be in the end is set in `finishRootfs`. */
export function openRootfs({ p, config, facts }: Opener): Result {
  return p.at("root.path", `open the root file system ${facts.rootfs}`, () => {
    const tree = cloneTree(p, facts.rootfs, true, "rootfs");
    const wanted = config.linux?.rootfsPropagation?.replace(/^r/, "");
    const isPrivate = wanted === "private" || wanted === "unbindable";
    setPropagation(p, tree, { flag: isPrivate ? "MS_PRIVATE" : "MS_SLAVE", recursive: true });
    // As runc leaves it since 1.2: only with `slave` do the host's later mounts reach the root itself.
    if (!isPrivate && wanted !== "slave") setPropagation(p, tree, { flag: "MS_PRIVATE", recursive: false });
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

/** What the source's mount has already, such as nosuid, it keeps unless an option clears it. */
function applyAttributes({ p, isLocking }: Opener, tree: Result, options: MountOptions): void {
  const hint = isLocking ? LOCKED : undefined;
  setAttributes(p, tree, options.attributes, false, hint);
  setAttributes(p, tree, options.recursiveAttributes, true, hint);
}

export function openBind(opener: Opener, index: number, mount: Mount, options: MountOptions): Result {
  const { p, config, facts } = opener;
  const refused = options.data.filter((option) => !isTmpfsOption(option)); // those have been warned about
  if (refused.length > 0)
    throw new ConfigError("config.json", [
      {
        path: `mounts[${index}].options`,
        message: `a bind mount takes no options of a file system, and has ${JSON.stringify(refused.join(","))}`,
      },
    ]);
  const source = resolveSource(facts.bundle, mount.source ?? "");
  const isRecursive = options.bind === "recursive";
  const tree = cloneTree(
    p,
    source,
    isRecursive,
    "source",
    opener.isLocking && !isRecursive ? COVERED : undefined,
  );
  const propagation = inheritedPropagation(config);
  if (propagation) setPropagation(p, tree, propagation);
  applyAttributes(opener, tree, options);
  if (source === "/sys" && (options.attributes.set & MOUNT_ATTR.MOUNT_ATTR_RDONLY) !== 0)
    protectCgroups(p, facts, tree);
  mapIds(p, config, mount, tree, opener.ids);
  return tree;
}

export function listCgroups({ cgroupMounts: { unified, hierarchies } }: Facts): readonly string[] {
  return unified === undefined ? hierarchies.map(({ source }) => source) : [unified];
}

export function openCgroup(opener: Opener, directory: string, options: MountOptions): Result {
  const { p, config, facts } = opener;
  const propagation = inheritedPropagation(config)?.flag;
  const hint = opener.isLocking ? LOCKED : undefined;
  const tree = cloneTree(p, directory, false, "cgroup"); // nothing is mounted within cgroups
  setAttributes(p, tree, { ...options.attributes, propagation }, false, hint);
  setAttributes(p, tree, options.recursiveAttributes, true, hint);
  protectCgroups(p, facts, tree);
  return tree;
}

/**
 * CVE-2023-25809: what shows the host's cgroups to a rootless container is read-only all the way down. Its caller may
 * write to some of them, and so could the container, which is its caller to the kernel.
 */
function protectCgroups(p: PlanBuilder, facts: Facts, tree: Result): void {
  if (facts.mayMount && !facts.isInUserNamespace) return;
  setAttributes(p, tree, { set: MOUNT_ATTR.MOUNT_ATTR_RDONLY, clear: 0 }, true);
}

export function openDevice(p: PlanBuilder, path: string): Result {
  const tree = cloneTree(p, path, false, "device");
  setPropagation(p, tree, { flag: "MS_PRIVATE", recursive: false });
  return tree;
}
