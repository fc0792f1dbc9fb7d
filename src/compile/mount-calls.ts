// Groups of calls that every file about mounts needs.
import { AT, MNT, MOUNT_ATTR, MOUNT_ATTR_SIZE, MOVE_MOUNT, MS, OPEN_TREE } from "../linux/mount-flags.ts";
import type { Propagation } from "../linux/mount-option-table.ts";
import type { AttributeChange } from "../linux/mount-options.ts";
import {
  AT_FDCWD,
  flags,
  NULL,
  nameBits,
  type PlanBuilder,
  type StepOptions,
  struct,
  u64,
} from "../plan/build.ts";
import type { NumberArg, OutBuffer, Pointee, Result } from "../plan/step.ts";

type Hint = StepOptions["hint"];

const MOVE = flags(MOVE_MOUNT, "MOVE_MOUNT_F_EMPTY_PATH", "MOVE_MOUNT_T_EMPTY_PATH");
const EMPTY_PATH = flags(AT, "AT_EMPTY_PATH");
const EMPTY_PATH_RECURSIVE = flags(AT, "AT_EMPTY_PATH", "AT_RECURSIVE");

/**
 * A detached copy of the mount at a path or of a descriptor, with what is mounted below it if `recursive`
 * (open_tree(2)). Its propagation is still that of the original: see `setPropagation`.
 */
export function cloneTree(
  p: PlanBuilder,
  from: string | Result,
  recursive: boolean,
  name: string,
  hint?: Hint,
): Result {
  const byFd = typeof from !== "string";
  const how = flags(
    OPEN_TREE,
    "OPEN_TREE_CLONE",
    "OPEN_TREE_CLOEXEC",
    ...(byFd ? (["AT_EMPTY_PATH"] as const) : []),
    ...(recursive ? (["AT_RECURSIVE"] as const) : []),
  );
  return p.call("open_tree", byFd ? [from, "", how] : [AT_FDCWD, from, how], { name, hint });
}

/** Attaches a mount, given by its descriptor, on top of what another descriptor refers to. */
export function moveMount(p: PlanBuilder, mount: Result, target: Result | NumberArg): void {
  p.call("move_mount", [mount, "", target, "", MOVE]);
}

/** For calls on a descriptor: AT_EMPTY_PATH, and AT_RECURSIVE for all that is mounted below. */
export function atFlags(recursive: boolean): NumberArg {
  return recursive ? EMPTY_PATH_RECURSIVE : EMPTY_PATH;
}

/**
 * Changes the attributes of a mount given by its descriptor, and its propagation (mount_setattr(2)); no call if nothing
 * changes.
 */
export function setAttributes(
  p: PlanBuilder,
  mount: Result,
  { set, clear, propagation }: AttributeChange & { readonly propagation?: keyof typeof MS | undefined },
  recursive = false,
  hint?: Hint,
): void {
  if (set === 0 && clear === 0 && propagation === undefined) return;
  const attr = mountAttr(set, clear, propagation);
  p.call("mount_setattr", [mount, "", atFlags(recursive), attr, MOUNT_ATTR_SIZE], { hint });
}

/** struct mount_attr. */
function mountAttr(set: number, clear: number, propagation: keyof typeof MS | undefined): Pointee {
  return struct(
    u64("attr_set", set === 0 ? 0 : nameBits(MOUNT_ATTR, set)),
    u64("attr_clr", clear === 0 ? 0 : nameBits(MOUNT_ATTR, clear)),
    u64("propagation", propagation === undefined ? 0 : flags(MS, propagation)),
    u64("userns_fd", 0),
  );
}

const READ_ONLY = mountAttr(MOUNT_ATTR.MOUNT_ATTR_RDONLY, 0, undefined);

export function setReadOnly(p: PlanBuilder, mount: Result): void {
  p.call("mount_setattr", [mount, "", EMPTY_PATH, READ_ONLY, MOUNT_ATTR_SIZE]);
}

/** For init in the root: what is mounted below stays as it is. */
export function setRootReadOnly(p: PlanBuilder, options: StepOptions = {}): void {
  p.call("mount_setattr", [AT_FDCWD, "/", 0, READ_ONLY, MOUNT_ATTR_SIZE], options);
}

export function setPropagation(
  p: PlanBuilder,
  mount: Result,
  { flag, recursive }: Omit<Propagation, "name">,
): void {
  setAttributes(p, mount, { set: 0, clear: 0, propagation: flag }, recursive);
}

/** mount(2) with nothing but a propagation. */
export function propagatePath(p: PlanBuilder, path: string, flag: keyof typeof MS, recursive: boolean): void {
  p.call("mount", [NULL, path, NULL, recursive ? flags(MS, flag, "MS_REC") : flags(MS, flag), NULL]);
}

/** Unmounts the working directory, which must be a mount's root, with all that is mounted below it. */
export function detachWorkingDirectory(p: PlanBuilder): void {
  p.call("umount2", [".", flags(MNT, "MNT_DETACH")]);
}

/** statx(2) of a descriptor. */
export function statFd(p: PlanBuilder, fd: Result, mask: NumberArg, buffer: OutBuffer): void {
  p.call("statx", [fd, "", EMPTY_PATH, mask, buffer]);
}
