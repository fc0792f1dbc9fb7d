// Masked and read-only paths ("Masked Paths" and "Readonly Paths" in config-linux.md). The paths lie in the container's
// root and may be hostile: everything is mounted by descriptor, and what covers a file is proved to be the null device
// and nothing else (CVE-2025-31133).
import { errnoNumber } from "../linux/errno.ts";
import {
  OPEN_HOW_SIZE,
  OPEN_TREE,
  RESOLVE,
  S,
  STATX,
  STATX_OFFSETS,
  STATX_SIZE,
} from "../linux/mount-flags.ts";
import { AT_FDCWD, flags, type Label, load, openFlags, openHow, type PlanBuilder } from "../plan/build.ts";
import type { OutBuffer, Result } from "../plan/step.ts";
import type { Config } from "../spec/config.ts";
import { verifyNode } from "./devices.ts";
import { createMask } from "./filesystem.ts";
import type { MountLabel } from "./lsm.ts";
import { cloneTree, moveMount, setReadOnly, setRootReadOnly, statFd } from "./mount-calls.ts";
import { ALL_BITS, ANYTHING, cleanPath, DIRECTORY, failAlways, openInRoot } from "./mount-target.ts";

const CLONE = flags(OPEN_TREE, "OPEN_TREE_CLONE", "OPEN_TREE_CLOEXEC", "AT_EMPTY_PATH");
const NULL_DEVICE = 1n | (3n << 32n);

/**
 * Covers files with the null device and directories with an empty read-only tmpfs; absent paths are skipped. For
 * init in the root, working directory "/", before the root is hidden from writes by the container's process.
 */
export function maskPaths(p: PlanBuilder, config: Config, label: MountLabel | undefined): void {
  const paths = [...new Set((config.linux?.maskedPaths ?? []).map(cleanPath))];
  if (paths.length === 0) return;
  const [device, tmpfs, root] = p.at("linux.maskedPaths", "prepare the masks", () => [
    openNullDevice(p),
    createMask(p, label),
    statRoot(p, paths),
  ]);
  for (const path of paths) {
    p.at("linux.maskedPaths", `mask ${path}`, () => maskPath(p, path, { device, tmpfs, root }));
  }
  p.at("linux.maskedPaths", "put the masks away", () => {
    p.call("close", [tmpfs]);
    p.call("close", [device]);
  });
}

function openNullDevice(p: PlanBuilder): Result {
  const how = openHow(
    openFlags("O_PATH", "O_NOFOLLOW", "O_CLOEXEC"),
    flags(RESOLVE, "RESOLVE_IN_ROOT", "RESOLVE_NO_MAGICLINKS"),
  );
  const device = p.call("openat2", [AT_FDCWD, "dev/null", how, OPEN_HOW_SIZE], { name: "null" });
  verifyNode(p, device, S.S_IFCHR, NULL_DEVICE, "linux.maskedPaths: /dev/null is not the null device");
  return device;
}

interface Masks {
  readonly device: Result;
  readonly tmpfs: Result;
  readonly root: OutBuffer | undefined;
}

function maskPath(p: PlanBuilder, path: string, { device, tmpfs, root }: Masks): void {
  openInRoot(p, AT_FDCWD, path, DIRECTORY, {
    name: "directory",
    tolerate: ["ENOENT", "ENOTDIR"],
    onSuccess: (target) => {
      if (root && mayLeadToRoot(path))
        ifRoot(p, root, target, () =>
          failAlways(p, "EPERM", `linux.maskedPaths: ${path} leads to the root, which cannot be masked`),
        );
      maskDirectory(p, target, tmpfs);
      p.call("close", [target]);
    },
    onError: () =>
      openInRoot(p, AT_FDCWD, path, ANYTHING, {
        name: "file",
        tolerate: ["ENOENT"],
        onSuccess: (target) => {
          const copy = cloneTree(p, device, false, "mask");
          moveMount(p, copy, target);
          p.call("close", [copy]);
          p.call("close", [target]);
        },
      }),
  });
}

/**
 * One tmpfs for all directories. Before Linux 6.15 a mount can be copied only once it is attached: the first
 * directory gets the mount itself, all others get copies.
 */
function maskDirectory(p: PlanBuilder, target: Result, tmpfs: Result): void {
  p.call("open_tree", [tmpfs, "", CLONE], {
    name: "copy",
    tolerate: ["EINVAL"],
    onSuccess: (copy) => {
      moveMount(p, copy, target);
      p.call("close", [copy]);
    },
    onError: () => moveMount(p, tmpfs, target),
  });
}

/** Mounts each path read-only on itself, with all the flags that it has; absent paths are skipped. */
export function protectPaths(p: PlanBuilder, config: Config): void {
  const paths = [...new Set((config.linux?.readonlyPaths ?? []).map(cleanPath))];
  const root = p.at("linux.readonlyPaths", "look at the root", () => statRoot(p, paths));
  for (const path of paths) {
    p.at("linux.readonlyPaths", `make ${path} read-only`, () => {
      if (path === "/") {
        setRootReadOnly(p);
        return;
      }
      openInRoot(p, AT_FDCWD, path, ANYTHING, {
        name: "target",
        tolerate: ["ENOENT"],
        onSuccess: (target) => {
          const end: Label = { steps: [] };
          if (root && mayLeadToRoot(path))
            ifRoot(p, root, target, () => {
              p.call("close", [target]);
              setRootReadOnly(p, { goTo: end });
            });
          const copy = cloneTree(p, target, true, "copy");
          setReadOnly(p, copy);
          moveMount(p, copy, target);
          p.call("close", [copy]);
          p.call("close", [target]);
          p.place(end);
        },
      });
    });
  }
}

/**
 * A link of the image may lead to the root itself, where a mount changes nothing: the process's root is what lies below
 * it. Nothing leads there from the kernel's own file systems.
 */
function mayLeadToRoot(path: string): boolean {
  return path !== "/" && !path.startsWith("/proc/") && !path.startsWith("/sys/");
}

const IDENTITY = flags(STATX, "STATX_INO", "STATX_MNT_ID");

/** What {@link ifRoot} has to know; undefined if none of the paths may lead to the root. */
function statRoot(p: PlanBuilder, paths: readonly string[]): OutBuffer | undefined {
  if (!paths.some(mayLeadToRoot)) return undefined;
  const root = p.buffer(STATX_SIZE, "root_stat");
  p.call("statx", [AT_FDCWD, ".", 0, IDENTITY, root]);
  return root;
}

/** Adds the steps of `then` for the case that a path has led to the root. */
function ifRoot(p: PlanBuilder, root: OutBuffer, target: Result, then: () => void): void {
  const stat = p.buffer(STATX_SIZE, "stat");
  statFd(p, target, IDENTITY, stat);
  const compare = (offset: number, name: string, onSuccess: () => void): void => {
    const [value, wanted] = [load(stat, offset, 8, name), load(root, offset, 8, `root's ${name}`)];
    const args = [value, ALL_BITS, wanted, errnoNumber("EXDEV")];
    p.call("check", args, { tolerate: ["EXDEV"], onSuccess });
  };
  compare(STATX_OFFSETS.mountId, "stx_mnt_id", () => compare(STATX_OFFSETS.ino, "stx_ino", then));
}
