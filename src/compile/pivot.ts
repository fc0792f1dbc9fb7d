// Entering the root file system.
import { MOVE_MOUNT } from "../linux/mount-flags.ts";
import { AT_FDCWD, flags, NULL, openFlags, type PlanBuilder } from "../plan/build.ts";
import type { Result } from "../plan/step.ts";
import type { Config } from "../spec/config.ts";
import type { Facts } from "./facts.ts";
import { detachWorkingDirectory, propagatePath } from "./mount-calls.ts";
import { hasNamespace, readNamespaces } from "./namespaces.ts";
import { isWithin } from "./rootfs.ts";

export interface PivotOptions {
  /** `--no-pivot`: for a host whose root is an initramfs, on which pivot_root(2) cannot work. */
  readonly noPivot: boolean;
}

/** Makes the root file system the root and working directory, and closes its descriptor. */
export function enterRootfs(
  p: PlanBuilder,
  config: Config,
  facts: Facts,
  root: Result,
  { noPivot }: PivotOptions,
): void {
  p.at("root.path", "enter the root file system", () => {
    if (!hasNamespace(readNamespaces(config), "mount")) changeRoot(p, root);
    else if (noPivot) moveToRoot(p, facts, root);
    else pivot(p, root);
    p.call("close", [root]);
  });
}

/** pivot_root(".", "."): the old root lies on top of the new one for a moment, and needs no place of its own. */
function pivot(p: PlanBuilder, root: Result): void {
  const old = p.call("openat", [AT_FDCWD, "/", openFlags("O_PATH", "O_DIRECTORY", "O_CLOEXEC")], {
    name: "oldroot",
  });
  p.call("fchdir", [root]);
  p.call("pivot_root", [".", "."]);
  p.call("fchdir", [old]);
  // Slave, so that unmounting does not reach the host; not private, which would hold on to mounts that the host
  // wants to be rid of.
  propagatePath(p, ".", "MS_SLAVE", true);
  detachWorkingDirectory(p);
  p.call("chdir", ["/"]);
  p.call("close", [old]);
}

/**
 * With chroot(2) alone the host's procfs and sysfs would remain in the mount namespace, uncovered, and the kernel
 * would let the container mount new ones without the masks.
 */
function moveToRoot(p: PlanBuilder, facts: Facts, root: Result): void {
  p.at("--no-pivot", "hide the host's procfs and sysfs", () => {
    for (const { path, root: top, fsType } of facts.mountPoints) {
      if (top !== "/" || (fsType !== "proc" && fsType !== "sysfs") || isWithin(path, facts.rootfs)) continue;
      hideMount(p, path);
    }
  });
  // Or the root file system would be moved over the root of every peer, the host among them.
  propagatePath(p, "/", "MS_SLAVE", false);
  p.call("move_mount", [root, "", AT_FDCWD, "/", flags(MOVE_MOUNT, "MOVE_MOUNT_F_EMPTY_PATH")]);
  changeRoot(p, root);
}

function hideMount(p: PlanBuilder, path: string): void {
  // ENOENT, EINVAL: it is gone together with a mount above it.
  p.call("mount", [NULL, path, NULL, { kind: "number", value: 0x84000, text: "MS_SLAVE|MS_REC" }, NULL], {
    tolerate: ["ENOENT", "EINVAL"],
    onSuccess: () =>
      p.call("umount2", [path, { kind: "number", value: 2, text: "MNT_DETACH" }], {
        // EINVAL, EPERM: it came with the user namespace and is locked in place.
        tolerate: ["EINVAL", "EPERM"],
        onError: () => p.call("mount", ["tmpfs", path, "tmpfs", 0, NULL]),
      }),
  });
}

function changeRoot(p: PlanBuilder, root: Result): void {
  p.call("fchdir", [root]);
  p.call("chroot", ["."]);
  p.call("chdir", ["/"]);
}
