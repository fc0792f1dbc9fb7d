// New file systems: fsopen(2), fsconfig(2), fsmount(2). They are made detached, so that they have their options before
// anybody can see them. mount(2) serves only what the newer calls cannot express.
import { FS, FSCONFIG, FSCONFIG_STRING_MAX, MOUNT_ATTR, MS } from "../linux/mount-flags.ts";
import type { SuperblockFlag } from "../linux/mount-option-table.ts";
import { type MountOptions, mergeAttributes, toMountFlags } from "../linux/mount-options.ts";
import { flags, NULL, nameBits, type PlanBuilder } from "../plan/build.ts";
import type { Result } from "../plan/step.ts";
import { addMountLabel, type MountLabel } from "./lsm.ts";
import { setAttributes } from "./mount-calls.ts";

export interface FileSystem {
  readonly type: string;
  readonly source?: string | undefined;
  /** MOUNT_ATTR_* of the mount. */
  readonly attributes: number;
  /** Whether the superblock is read-only as well. */
  readonly readOnly: boolean;
  readonly superblock: ReadonlySet<SuperblockFlag>;
  /** `key` or `key=value`. */
  readonly data: readonly string[];
}

/**
 * Types whose superblock is one for the whole namespace (or host): read-only there would mean read-only for every
 * other container that shares it.
 */
const SHARED_TYPES = new Set(["sysfs", "mqueue", "cgroup", "cgroup2"]);

/** `writable`: leave it writable for now, whatever the options say. `label`: SELinux context of its files. */
export function describeFileSystem(
  type: string,
  source: string | undefined,
  options: MountOptions,
  writable: boolean,
  label?: MountLabel,
): FileSystem {
  const all = mergeAttributes(options);
  const attributes = writable ? all & ~MOUNT_ATTR.MOUNT_ATTR_RDONLY : all;
  const readOnly = (attributes & MOUNT_ATTR.MOUNT_ATTR_RDONLY) !== 0 && !SHARED_TYPES.has(type);
  const data = addMountLabel(type, options.data, label);
  return { type, source, attributes, readOnly, superblock: options.superblock, data };
}

/**
 * fsconfig(2) takes no values above 255 bytes, and neither `iversion` nor `silent`, which are no options of file
 * systems but flags of mount(2).
 */
export function needsMountCall({ source, superblock, data }: FileSystem): boolean {
  const values = [source ?? "", ...data.map((option) => option.slice(option.indexOf("=") + 1))];
  return (
    superblock.has("iversion") ||
    superblock.has("silent") ||
    values.some((value) => Buffer.byteLength(value) > FSCONFIG_STRING_MAX)
  );
}

const FSOPEN = flags(FS, "FSOPEN_CLOEXEC");
const FSMOUNT = flags(FS, "FSMOUNT_CLOEXEC");
const SET_FLAG = flags(FSCONFIG, "FSCONFIG_SET_FLAG");
const SET_STRING = flags(FSCONFIG, "FSCONFIG_SET_STRING");

function configure(p: PlanBuilder, context: Result, { superblock, data }: FileSystem): void {
  for (const flag of superblock) setFlag(p, context, flag);
  for (const option of data) {
    const at = option.indexOf("=");
    if (at < 0) setFlag(p, context, option);
    else setString(p, context, option.slice(0, at), option.slice(at + 1));
  }
}

function setFlag(p: PlanBuilder, context: Result, key: string): void {
  p.call("fsconfig", [context, SET_FLAG, key, NULL, 0]);
}

function setString(p: PlanBuilder, context: Result, key: string, value: string): void {
  p.call("fsconfig", [context, SET_STRING, key, value, 0]);
}

function runCommand(p: PlanBuilder, context: Result, command: keyof typeof FSCONFIG): void {
  p.call("fsconfig", [context, flags(FSCONFIG, command), NULL, NULL, 0]);
}

/** Makes a detached mount. */
export function createFileSystem(p: PlanBuilder, fs: FileSystem): Result {
  const context = p.call("fsopen", [fs.type, FSOPEN], { name: "context" });
  if (fs.source !== undefined) setString(p, context, "source", fs.source);
  if (fs.readOnly) setFlag(p, context, "ro");
  configure(p, context, fs);
  runCommand(p, context, "FSCONFIG_CMD_CREATE");
  const attributes = nameBits(MOUNT_ATTR, fs.attributes);
  const mount = p.call("fsmount", [context, FSMOUNT, attributes], { name: "mount" });
  p.call("close", [context]);
  return mount;
}

/** Mounts on a directory with mount(2), by way of the working directory: no path is resolved in the container. */
export function mountByFlags(p: PlanBuilder, fs: FileSystem, target: Result): void {
  p.call("fchdir", [target]);
  const value = toMountFlags(fs.attributes, fs.superblock);
  const data = fs.data.map((option) => (option.includes(",") ? quoteValue(option) : option)).join(",");
  p.call("mount", [fs.source ?? "none", ".", fs.type, nameBits(MS, value), data === "" ? NULL : data]);
}

/** As mount(8) and LSMs have it: `context="a,b"`. */
function quoteValue(option: string): string {
  const at = option.indexOf("=") + 1;
  return `${option.slice(0, at)}"${option.slice(at)}"`;
}

/** The option `remount`: changes the file system that is mounted on `target`, and that mount of it. */
export function reconfigure(p: PlanBuilder, target: Result, fs: FileSystem, options: MountOptions): void {
  const how = flags(FS, "FSPICK_CLOEXEC", "FSPICK_EMPTY_PATH");
  const context = p.call("fspick", [target, "", how], { name: "context" });
  const { set, clear } = options.attributes;
  if (set & MOUNT_ATTR.MOUNT_ATTR_RDONLY) setFlag(p, context, "ro");
  else if (clear & MOUNT_ATTR.MOUNT_ATTR_RDONLY) setFlag(p, context, "rw");
  configure(p, context, fs);
  runCommand(p, context, "FSCONFIG_CMD_RECONFIGURE");
  p.call("close", [context]);
  setAttributes(p, target, options.attributes);
  setAttributes(p, target, options.recursiveAttributes, true);
}

/** A read-only tmpfs with no room for anything (security.md H4), detached. */
export function createMask(p: PlanBuilder, label: MountLabel | undefined): Result {
  const context = p.call("fsopen", ["tmpfs", FSOPEN], { name: "context" });
  setString(p, context, "source", "tmpfs");
  setFlag(p, context, "ro");
  setString(p, context, "nr_blocks", "1");
  const inodes = [context, SET_STRING, "nr_inodes"] as const;
  // Some kernels of Ubuntu refuse a tmpfs of one inode.
  p.call("fsconfig", [...inodes, "1", 0], {
    tolerate: ["EINVAL"],
    onError: () => p.call("fsconfig", [...inodes, "2", 0]),
  });
  if (label !== undefined) setString(p, context, label.option, label.context);
  runCommand(p, context, "FSCONFIG_CMD_CREATE");
  const attributes = flags(MOUNT_ATTR, "MOUNT_ATTR_RDONLY");
  const mask = p.call("fsmount", [context, FSMOUNT, attributes], { name: "mask" });
  p.call("close", [context]);
  return mask;
}
