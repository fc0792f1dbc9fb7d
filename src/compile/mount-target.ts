// Finds and makes the places in the root file system that something is mounted on. All of it may be hostile and may
// change at any time: each look-up starts at the root's descriptor and stays below it, whatever links say, and
// what is missing is made one component at a time in a directory that is held open (CVE-2021-30465, CVE-2024-45310).
import { posix } from "node:path";
import { errnoNumber } from "../linux/errno.ts";
import { OPEN_HOW_SIZE, RESOLVE, S, STATX, STATX_OFFSETS, STATX_SIZE } from "../linux/mount-flags.ts";
import { flags, load, openFlags, openHow, type PlanBuilder, type StepOptions } from "../plan/build.ts";
import type { NumberArg, OutBuffer, Pointee, Result } from "../plan/step.ts";
import { statFd } from "./mount-calls.ts";

const WITHIN_ROOT = flags(RESOLVE, "RESOLVE_IN_ROOT", "RESOLVE_NO_MAGICLINKS");
/** How something is opened below the root: as whatever it is, as a directory, as one that no link leads to. */
export const ANYTHING = openHow(openFlags("O_PATH", "O_CLOEXEC"), WITHIN_ROOT);
export const DIRECTORY = openHow(openFlags("O_PATH", "O_DIRECTORY", "O_CLOEXEC"), WITHIN_ROOT);
const ORDINARY = openHow(openFlags("O_PATH", "O_DIRECTORY", "O_NOFOLLOW", "O_CLOEXEC"), WITHIN_ROOT);
const MODE_0755: NumberArg = { kind: "number", value: 0o755, text: "0755" };
export const ALL_BITS = (1n << 64n) - 1n;

/** A path in the container as it counts: absolute, without `.`, `..`, double or final slashes. */
export function cleanPath(path: string): string {
  const clean = posix.join("/", path);
  return clean.length > 1 && clean.endsWith("/") ? clean.slice(0, -1) : clean;
}

/** openat2(2) below the root. `root` may also be AT_FDCWD when the working directory is the root. */
export function openInRoot(
  p: PlanBuilder,
  root: Result | NumberArg,
  unsafePath: string,
  how: Pointee,
  options: StepOptions = {},
): Result {
  const path = unsafePath === "/" ? "." : unsafePath.replace(/^\//, "");
  return p.call("openat2", [root, path, how, OPEN_HOW_SIZE], options);
}

/**
 * As {@link openInRoot}; what is missing is made. That takes further batches: where something is likely to be missing,
 * steps that make it come first, so that only a symbolic link that leads nowhere is left for this.
 */
export function openOrMake(
  p: PlanBuilder,
  root: Result,
  unsafePath: string,
  how: Pointee,
  kind: "directory" | "file",
  options: StepOptions = {},
): Result {
  const action = { do: "make-path", root: root.step, unsafePath, kind } as const;
  return openInRoot(p, root, unsafePath, how, { ...options, retry: { after: "ENOENT", action } });
}

/** Runs `use` with the directory that holds the last component, and that component's name. */
function withParent(
  p: PlanBuilder,
  root: Result,
  unsafePath: string,
  use: (parent: Result, name: string) => void,
): void {
  const parent = posix.dirname(unsafePath);
  const name = posix.basename(unsafePath);
  if (parent === "/") {
    use(root, name);
    return;
  }
  const fd = openOrMake(p, root, parent, DIRECTORY, "directory", { name: "parent" });
  use(fd, name);
  p.call("close", [fd]);
}

/** Makes each component that is missing, with mode 0755 (init's umask is 0: see `attachRootfs`). */
function makeDirectories(p: PlanBuilder, root: Result, unsafePath: string): void {
  let path = "";
  for (const component of unsafePath.split("/").filter((part) => part !== "")) {
    path += `/${component}`;
    withParent(p, root, path, (parent, name) => {
      p.call("mkdirat", [parent, name, MODE_0755], {
        tolerate: ["EEXIST"],
      });
    });
  }
}

/** Makes a directory and its parents unless it is there. */
export function ensureDirectory(p: PlanBuilder, root: Result, unsafePath: string): void {
  if (unsafePath === "/") return;
  openInRoot(p, root, unsafePath, DIRECTORY, {
    name: "present",
    tolerate: ["ENOENT"],
    onSuccess: (fd) => p.call("close", [fd]),
    onError: () => makeDirectories(p, root, unsafePath),
  });
}

export interface TargetOptions {
  /** `ordinary`: a directory that no symbolic link leads to, as procfs and sysfs need (CVE-2019-19921). */
  readonly kind: "directory" | "ordinary" | "file";
  /** Gets the statx of what was there before; stays zero if there was nothing. */
  readonly before?: OutBuffer;
  /** Error text for a target of the wrong kind. */
  readonly failure: string;
}

/** Opens what is to be mounted on, after making it if it is missing: a directory, or an empty file. */
export function openTarget(p: PlanBuilder, root: Result, unsafePath: string, options: TargetOptions): Result {
  const { kind, before, failure } = options;
  const how = { file: ANYTHING, directory: DIRECTORY, ordinary: ORDINARY }[kind];
  // Of a link that must not be followed, the kernel says: not a directory.
  const wrongKind =
    kind === "ordinary"
      ? { tolerate: ["ENOTDIR" as const], onError: () => failAlways(p, "ENOTDIR", failure) }
      : {};
  openInRoot(p, root, unsafePath, ANYTHING, {
    name: "present",
    tolerate: ["ENOENT"],
    onSuccess: (fd) => {
      if (before) statFd(p, fd, flags(STATX, "STATX_TYPE", "STATX_MODE"), before);
      p.call("close", [fd]);
    },
    onError: () => {
      if (kind !== "file") makeDirectories(p, root, unsafePath);
      else makeFile(p, root, unsafePath, 0o644);
    },
  });
  const made = kind === "file" ? "file" : "directory";
  const target = openOrMake(p, root, unsafePath, how, made, { name: "target", ...wrongKind });
  if (kind === "file") refuseDirectory(p, target, failure);
  return target;
}

/** Makes an empty file and the directories above it; one that is there is left alone. */
function makeFile(p: PlanBuilder, root: Result, unsafePath: string, mode: number): void {
  makeDirectories(p, root, posix.dirname(unsafePath));
  withParent(p, root, unsafePath, (parent, name) => {
    const type: NumberArg = {
      kind: "number",
      value: S.S_IFREG | mode,
      text: `S_IFREG|0${mode.toString(8)}`,
    };
    p.call("mknodat", [parent, name, type, 0], { tolerate: ["EEXIST"] });
  });
}

/** move_mount(2) would say `invalid argument` of a file that is to cover a directory. */
function refuseDirectory(p: PlanBuilder, fd: Result, failure: string): void {
  const stat = p.buffer(STATX_SIZE, "stat");
  statFd(p, fd, flags(STATX, "STATX_TYPE"), stat);
  const mode = load(stat, STATX_OFFSETS.mode, 4, "stx_mode");
  p.check(mode, S.S_IFMT, S.S_IFDIR, errnoNumber("EEXIST"), {
    tolerate: ["EEXIST"],
    onSuccess: () => failAlways(p, "ENOTDIR", failure),
  });
}

export function failAlways(p: PlanBuilder, errno: "ENOTDIR" | "EPERM", failure: string): void {
  p.check(0, 1, 1, errnoNumber(errno), { failure });
}
