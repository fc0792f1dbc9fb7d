// The procfs of init's own through which everything below /proc is written. The container's /proc is not to be trusted:
// whatever is mounted or linked there, a write through it could go elsewhere (CVE-2019-16884, CVE-2025-52881).
import { errnoNumber } from "../linux/errno.ts";
import {
  FS,
  FSCONFIG,
  MOUNT_ATTR,
  OPEN_HOW_SIZE,
  PROC_SUPER_MAGIC,
  RESOLVE,
  STATFS_SIZE,
} from "../linux/mount-flags.ts";
import { AT_FDCWD, flags, load, NULL, openFlags, openHow, type PlanBuilder } from "../plan/build.ts";
import type { Result } from "../plan/step.ts";
import { ALL_BITS } from "./mount-target.ts";

/**
 * A detached procfs of the current pid namespace. In a user namespace the kernel allows it only where a procfs
 * without covered parts is mounted: before paths are masked.
 */
export function openPrivateProcfs(p: PlanBuilder): Result {
  return p.at("", "open a procfs of init's own", () => {
    const context = p.call("fsopen", ["proc", flags(FS, "FSOPEN_CLOEXEC")], { name: "context" });
    p.call("fsconfig", [context, flags(FSCONFIG, "FSCONFIG_CMD_CREATE"), NULL, NULL, 0]);
    const attributes = flags(MOUNT_ATTR, "MOUNT_ATTR_NOSUID", "MOUNT_ATTR_NODEV", "MOUNT_ATTR_NOEXEC");
    const procfs = p.call("fsmount", [context, flags(FS, "FSMOUNT_CLOEXEC"), attributes], { name: "procfs" });
    p.call("close", [context]);
    return procfs;
  });
}

/**
 * The procfs that the runtime namespace has, for a process that joins a container later: `thread-self` in it is whoever
 * looks, wherever it is. To be closed before anything of the container's runs.
 */
export function openHostProcfs(p: PlanBuilder): Result {
  return p.at("", "open the host's procfs", () => {
    const how = openHow(
      openFlags("O_PATH", "O_DIRECTORY", "O_CLOEXEC"),
      flags(RESOLVE, "RESOLVE_NO_SYMLINKS"),
    );
    const procfs = p.call("openat2", [AT_FDCWD, "/proc", how, OPEN_HOW_SIZE], { name: "procfs" });
    checkProcfs(p, procfs, "/proc is not a procfs");
    return procfs;
  });
}

/** Proves that a descriptor lies in a procfs. `failure`: the error text if it does not. */
export function checkProcfs(p: PlanBuilder, fd: Result, failure: string): void {
  const statfs = p.buffer(STATFS_SIZE, "statfs");
  p.call("fstatfs", [fd, statfs]);
  p.check(load(statfs, 0, 8, "f_type"), ALL_BITS, PROC_SUPER_MAGIC, errnoNumber("EINVAL"), { failure });
}

/** Writes a file of a procfs: `unsafePath` counts from its root and stays in it. */
export function writeProcFile(p: PlanBuilder, procfs: Result, unsafePath: string, value: string): void {
  const fd = openProcFile(p, procfs, unsafePath, "RESOLVE_NO_SYMLINKS");
  const bytes = new TextEncoder().encode(value);
  p.call("write", [fd, { kind: "bytes", value: bytes, text: JSON.stringify(value) }, bytes.length]);
  p.call("close", [fd]);
}

/**
 * Writes a security attribute of init's own (proc_pid_attr(5)). `thread-self` is a link of the kernel's, which leads to
 * numbers in the same procfs. `failure`: the error text of the write, before the errno's.
 */
export function writeOwnAttribute(
  p: PlanBuilder,
  procfs: Result,
  name: string,
  value: string,
  failure: string,
): void {
  const fd = openProcFile(p, procfs, `thread-self/attr/${name}`, "RESOLVE_NO_MAGICLINKS");
  const bytes = new TextEncoder().encode(value);
  p.call("write", [fd, { kind: "bytes", value: bytes, text: JSON.stringify(value) }, bytes.length], {
    failure,
    failureWithErrno: true,
  });
  p.call("close", [fd]);
}

function openProcFile(
  p: PlanBuilder,
  procfs: Result,
  unsafePath: string,
  links: "RESOLVE_NO_SYMLINKS" | "RESOLVE_NO_MAGICLINKS",
): Result {
  const how = openHow(
    openFlags("O_WRONLY", "O_CLOEXEC"),
    flags(RESOLVE, "RESOLVE_BENEATH", "RESOLVE_NO_XDEV", links),
  );
  const fd = p.call("openat2", [procfs, unsafePath, how, OPEN_HOW_SIZE], { name: "file" });
  checkProcfs(p, fd, `/proc/${unsafePath} is not a file of procfs`);
  return fd;
}
