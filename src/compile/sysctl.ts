// linux.sysctl, and the procfs of init's own through which everything below /proc is written. The container's /proc is
// not to be trusted: whatever is mounted or linked there, a write through it could go elsewhere (CVE-2025-52881).
import { TsruncError } from "../errors.ts";
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
import { flags, load, NULL, openFlags, openHow, type PlanBuilder } from "../plan/build.ts";
import type { Result } from "../plan/step.ts";
import type { Config } from "../spec/config.ts";
import { sysctlPath } from "../spec/sysctl.ts";
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

/** Writes a file of a procfs: `unsafePath` counts from its root and stays in it. */
export function writeProcFile(p: PlanBuilder, procfs: Result, unsafePath: string, value: string): void {
  const how = openHow(
    openFlags("O_WRONLY", "O_CLOEXEC"),
    flags(RESOLVE, "RESOLVE_BENEATH", "RESOLVE_NO_XDEV", "RESOLVE_NO_SYMLINKS"),
  );
  const fd = p.call("openat2", [procfs, unsafePath, how, OPEN_HOW_SIZE], { name: "file" });
  const statfs = p.buffer(STATFS_SIZE, "statfs");
  p.call("fstatfs", [fd, statfs]);
  p.check(load(statfs, 0, 8, "f_type"), ALL_BITS, PROC_SUPER_MAGIC, errnoNumber("EINVAL"), {
    failure: `/proc/${unsafePath} is not a file of procfs`,
  });
  const bytes = new TextEncoder().encode(value);
  p.call("write", [fd, { kind: "bytes", value: bytes, text: JSON.stringify(value) }, bytes.length]);
  p.call("close", [fd]);
}

/** Sets kernel parameters. `procfs` of the container's namespaces stays open. */
export function writeSysctls(p: PlanBuilder, config: Config, procfs: Result): void {
  for (const [name, value] of Object.entries(config.linux?.sysctl ?? {})) {
    const path = sysctlPath(name);
    if (path === undefined)
      throw new TsruncError(`linux.sysctl[${JSON.stringify(name)}]: is no kernel parameter`);
    p.at(`linux.sysctl[${JSON.stringify(name)}]`, `set ${name}`, () =>
      writeProcFile(p, procfs, `sys/${path}`, value),
    );
  }
}
