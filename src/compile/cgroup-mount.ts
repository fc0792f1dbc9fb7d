// Mounts of type cgroup. They show the container its own cgroups, whatever version the host has.
import { MOUNT_ATTR, OPEN_HOW_SIZE, RESOLVE } from "../linux/mount-flags.ts";
import { type MountOptions, mergeAttributes } from "../linux/mount-options.ts";
import { flags, openFlags, openHow, type PlanBuilder } from "../plan/build.ts";
import type { NumberArg, Result } from "../plan/step.ts";
import type { CgroupMounts } from "./facts.ts";
import { createFileSystem, describeFileSystem, type FileSystem } from "./filesystem.ts";
import { moveMount, setPropagation, setReadOnly } from "./mount-calls.ts";

const BENEATH = openHow(
  openFlags("O_PATH", "O_DIRECTORY", "O_CLOEXEC"),
  flags(RESOLVE, "RESOLVE_BENEATH", "RESOLVE_NO_SYMLINKS"),
);
const MODE_0755: NumberArg = { kind: "number", value: 0o755, text: "0755" };
const NO_SUPERBLOCK_FLAGS: ReadonlySet<never> = new Set();
type TakeBound = () => readonly Result[] | undefined;

const SAFE = MOUNT_ATTR.MOUNT_ATTR_NOSUID | MOUNT_ATTR.MOUNT_ATTR_NODEV | MOUNT_ATTR.MOUNT_ATTR_NOEXEC;

/**
 * Mounts on `target`. `takeBound` gives the trees of the container's directories on the host, for a container without
 * a cgroup namespace; with one, the root of a new mount is the container's own cgroup.
 */
export function mountCgroups(
  p: PlanBuilder,
  target: Result,
  source: string | undefined,
  options: MountOptions,
  cgroups: CgroupMounts,
  takeBound: TakeBound,
): void {
  const mount =
    cgroups.unified === undefined
      ? mountHierarchies(p, target, options, cgroups, takeBound)
      : mountUnified(p, target, source, options, takeBound);
  for (const propagation of options.propagations) setPropagation(p, mount, propagation);
  p.call("close", [mount]);
}

function mountUnified(
  p: PlanBuilder,
  target: Result,
  source: string | undefined,
  options: MountOptions,
  takeBound: TakeBound,
): Result {
  const mount =
    takeBound()?.[0] ??
    createFileSystem(p, describeFileSystem("cgroup2", source ?? "cgroup", options, false));
  moveMount(p, mount, target);
  return mount;
}

/** Version 1: a tmpfs with a directory for each hierarchy. */
function mountHierarchies(
  p: PlanBuilder,
  target: Result,
  options: MountOptions,
  { hierarchies, links }: CgroupMounts,
  takeBound: TakeBound,
): Result {
  const tmpfs = createFileSystem(p, {
    type: "tmpfs",
    source: "tmpfs",
    attributes: SAFE,
    readOnly: false,
    superblock: NO_SUPERBLOCK_FLAGS,
    data: ["mode=755"],
  });
  moveMount(p, tmpfs, target);
  const bound = takeBound(); // after the tmpfs, which mountinfo then lists before what is mounted in it
  const readOnly = mergeAttributes(options) & MOUNT_ATTR.MOUNT_ATTR_RDONLY;
  for (const [index, { name }] of hierarchies.entries()) {
    p.call("mkdirat", [tmpfs, name, MODE_0755]);
    const directory = p.call("openat2", [tmpfs, name, BENEATH, OPEN_HOW_SIZE], { name: "directory" });
    const mount = bound?.[index] ?? createFileSystem(p, describeHierarchy(name, SAFE | readOnly));
    moveMount(p, mount, directory);
    p.call("close", [directory]);
    for (const propagation of options.propagations) setPropagation(p, mount, propagation);
    p.call("close", [mount]);
  }
  for (const { name, target: to } of links) p.call("symlinkat", [to, tmpfs, name], { tolerate: ["EEXIST"] });
  if (readOnly !== 0) setReadOnly(p, tmpfs);
  return tmpfs;
}

/** A hierarchy is mounted by its controllers, or by its name if it has none (systemd's), as its directory tells. */
function describeHierarchy(name: string, attributes: number): FileSystem {
  const common = { attributes, readOnly: false, superblock: NO_SUPERBLOCK_FLAGS };
  if (name === "unified") return { ...common, type: "cgroup2", source: "cgroup2", data: [] };
  if (name === "systemd") return { ...common, type: "cgroup", source: "systemd", data: ["name=systemd"] };
  return { ...common, type: "cgroup", source: "cgroup", data: name.split(",") };
}
