// Masked and read-only paths ("Masked Paths" and "Readonly Paths" in config-linux.md). The paths lie in the container's
// root and may be hostile: everything is mounted by descriptor, and what covers a file is proved to be the null device
// and nothing else (CVE-2025-31133).
import { OPEN_HOW_SIZE, OPEN_TREE, RESOLVE, S } from "../linux/mount-flags.ts";
import { AT_FDCWD, flags, openFlags, openHow, type PlanBuilder } from "../plan/build.ts";
import type { Result } from "../plan/step.ts";
import type { Config } from "../spec/config.ts";
import { verifyNode } from "./devices.ts";
import { createMask } from "./filesystem.ts";
import type { MountLabel } from "./lsm.ts";
import { cloneTree, moveMount, setReadOnly } from "./mount-calls.ts";
import { ANYTHING, cleanPath, DIRECTORY, openInRoot } from "./mount-target.ts";

const CLONE = flags(OPEN_TREE, "OPEN_TREE_CLONE", "OPEN_TREE_CLOEXEC", "AT_EMPTY_PATH");
const NULL_DEVICE = 1n | (3n << 32n);

/**
 * Covers files with the null device and directories with an empty read-only tmpfs; absent paths are skipped. For
 * init in the root, working directory "/", before the root is hidden from writes by the container's process.
 */
export function maskPaths(p: PlanBuilder, config: Config, label: MountLabel | undefined): void {
  const paths = [...new Set((config.linux?.maskedPaths ?? []).map(cleanPath))];
  if (paths.length === 0) return;
  const [device, tmpfs] = p.at("linux.maskedPaths", "prepare the masks", () => [
    openNullDevice(p),
    createMask(p, label),
  ]);
  for (const path of paths) {
    p.at("linux.maskedPaths", `mask ${path}`, () => maskPath(p, path, device, tmpfs));
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

function maskPath(p: PlanBuilder, path: string, device: Result, tmpfs: Result): void {
  openInRoot(p, AT_FDCWD, path, DIRECTORY, {
    name: "directory",
    tolerate: ["ENOENT", "ENOTDIR"],
    onSuccess: (target) => {
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
  for (const path of new Set((config.linux?.readonlyPaths ?? []).map(cleanPath))) {
    p.at("linux.readonlyPaths", `make ${path} read-only`, () => {
      openInRoot(p, AT_FDCWD, path, ANYTHING, {
        name: "target",
        tolerate: ["ENOENT"],
        onSuccess: (target) => {
          const copy = cloneTree(p, target, true, "copy");
          setReadOnly(p, copy);
          moveMount(p, copy, target);
          p.call("close", [copy]);
          p.call("close", [target]);
        },
      });
    });
  }
}
