// mounts[] of the config, in their order.
import { ConfigError } from "../errors.ts";
import { errnoNumber } from "../linux/errno.ts";
import { MOUNT_ATTR, STATX, STATX_OFFSETS, STATX_SIZE } from "../linux/mount-flags.ts";
import { type MountOptions, mergeAttributes, parseMountOptions } from "../linux/mount-options.ts";
import { flags, load, type PlanBuilder } from "../plan/build.ts";
import type { OutBuffer, Result } from "../plan/step.ts";
import type { Config, Mount } from "../spec/config.ts";
import { mountCgroups } from "./cgroup-mount.ts";
import type { Facts } from "./facts.ts";
import {
  createFileSystem,
  describeFileSystem,
  type FileSystem,
  mountByFlags,
  needsMountCall,
  reconfigure,
} from "./filesystem.ts";
import { resolveSource } from "./host-trees.ts";
import { findMountLabel, labelMount, type MountLabel } from "./lsm.ts";
import { moveMount, setPropagation, statFd } from "./mount-calls.ts";
import { describeMount, isBindMount, isCgroupMount, type MountSources } from "./mount-sources.ts";
import {
  ALL_BITS,
  ANYTHING,
  cleanPath,
  DIRECTORY,
  failAlways,
  openInRoot,
  openTarget,
} from "./mount-target.ts";
import { checkProcfs } from "./procfs.ts";
import { chmodAsBefore } from "./tmpfs-mode.ts";

/** What later steps have to know of the mounts. */
export interface Mounted {
  /** Mounts that become read-only in `finishRootfs`, by index in config.mounts: until then things are made in them. */
  readonly readOnlyLater: readonly { readonly index: number; readonly mount: Result }[];
}

/** Files below /proc that lxcfs and the like replace; runc allows exactly these. */
const REPLACEABLE = new Set(
  (
    "cpuinfo diskstats meminfo stat swaps uptime loadavg slabinfo sys/kernel/ns_last_pid " +
    "sys/crypto/fips_enabled"
  )
    .split(" ")
    .map((name) => `/proc/${name}`),
);

interface State {
  readonly p: PlanBuilder;
  readonly facts: Facts;
  readonly sources: MountSources;
  readonly root: Result;
  /** SELinux context of the container's files. */
  readonly label: MountLabel | undefined;
  readonly readOnlyLater: { index: number; mount: Result }[];
  /** What is mounted on /proc by now; `stat` holds its mount id. */
  proc?: { readonly mount: Result; stat?: OutBuffer | undefined } | undefined;
}

interface Entry {
  readonly index: number;
  readonly mount: Mount;
  readonly options: MountOptions;
  /** Clean destination. */
  readonly path: string;
  /** `mounts[3]: bind /src on /dst`. */
  readonly text: string;
}

/**
 * Makes all mounts. For init in all of the container's namespaces, before it enters the root.
 * @throws ConfigError for destinations that are refused
 */
export function mountAll(
  p: PlanBuilder,
  config: Config,
  facts: Facts,
  sources: MountSources,
  root: Result,
): Mounted {
  const label = findMountLabel(config, facts);
  const state: State = { p, facts, sources, root, label, readOnlyLater: [] };
  for (const [index, mount] of (config.mounts ?? []).entries()) {
    const options = parseMountOptions(mount.options ?? []);
    const intent = describeMount(mount, options);
    const path = cleanPath(mount.destination);
    const entry = { index, mount, options, path, text: `mounts[${index}]: ${intent}` };
    checkDestination(entry);
    p.at(`mounts[${index}]`, intent, () => mountEntry(state, entry));
  }
  const { proc } = state;
  if (proc) p.at("mounts", "all mounts are made", () => p.call("close", [proc.mount]));
  return { readOnlyLater: state.readOnlyLater };
}

/** CVE-2019-16884: nothing may stand in for /proc, where init and later execs write security attributes. */
function checkDestination({ index, mount, options, path }: Entry): void {
  const refuse = (why: string): never => {
    const message = `${JSON.stringify(path)} cannot be mounted because it is ${why}`;
    throw new ConfigError("config.json", [{ path: `mounts[${index}].destination`, message }]);
  };
  if (path === "/") refuse("the root of the container");
  if (path === "/proc" && mount.type !== "proc" && !isBindMount(mount, options)) refuse("not of type proc");
  if (path.startsWith("/proc/") && !REPLACEABLE.has(path)) refuse("inside /proc");
}

function mountEntry(state: State, entry: Entry): void {
  const { mount, options } = entry;
  if (isBindMount(mount, options)) attachBind(state, entry);
  else if (options.remount) remount(state, entry);
  else if (isCgroupMount(mount, state.facts)) attachCgroups(state, entry);
  else attachNew(state, entry);
}

function attachBind(state: State, entry: Entry): void {
  const { p, facts } = state;
  const source = state.sources.takeBind(entry.index, entry.mount, entry.options);
  if (entry.path === "/proc")
    checkProcfs(p, source, `${entry.text}: "/proc" cannot be mounted because it is not of type proc`);
  const isFile = facts.sources.get(resolveSource(facts.bundle, entry.mount.source ?? "")) === "file";
  const target = openTarget(p, state.root, entry.path, {
    kind: isFile ? "file" : "directory",
    failure: `${entry.text}: the source is not a directory, but the destination is`,
  });
  attach(state, entry, source, target);
}

/** Moves a mount into place, closes the target, and gives the mount its propagation. */
function attach(state: State, entry: Entry, mount: Result, target: Result): void {
  const { p } = state;
  refuseProcTarget(state, entry, target);
  moveMount(p, mount, target);
  p.call("close", [target]);
  for (const propagation of entry.options.propagations) setPropagation(p, mount, propagation);
  keepOrClose(state, entry, mount);
}

function keepOrClose(state: State, entry: Entry, mount: Result): void {
  const { p } = state;
  if (entry.path === "/proc") {
    if (state.proc) p.call("close", [state.proc.mount]);
    state.proc = { mount };
  } else if (isReadOnlyLater(entry)) state.readOnlyLater.push({ index: entry.index, mount });
  else p.call("close", [mount]);
}

/** The destination may be an innocent path that links of the image lead into /proc. */
function refuseProcTarget(state: State, entry: Entry, target: Result): void {
  const { p, proc } = state;
  if (!proc || entry.path === "/proc" || REPLACEABLE.has(entry.path)) return;
  const mask = flags(STATX, "STATX_MNT_ID");
  if (!proc.stat) {
    proc.stat = p.buffer(STATX_SIZE, "proc_stat");
    statFd(p, proc.mount, mask, proc.stat);
  }
  const stat = p.buffer(STATX_SIZE, "stat");
  statFd(p, target, mask, stat);
  const ids = [stat, proc.stat].map((buffer) => load(buffer, STATX_OFFSETS.mountId, 8, "stx_mnt_id"));
  p.call("check", [ids[0] as never, ALL_BITS, ids[1] as never, errnoNumber("EXDEV")], {
    tolerate: ["EXDEV"],
    onSuccess: () => {
      const text = `${JSON.stringify(entry.path)} cannot be mounted because it is inside /proc`;
      failAlways(p, "EPERM", `${entry.text}: ${text}`);
    },
  });
}

function isReadOnlyLater({ mount, options, path }: Entry): boolean {
  if (isBindMount(mount, options) || (mount.type !== "tmpfs" && path !== "/dev")) return false;
  return (mergeAttributes(options) & MOUNT_ATTR.MOUNT_ATTR_RDONLY) !== 0;
}

function attachNew(state: State, entry: Entry): void {
  const { p } = state;
  const { mount, options, path } = entry;
  const type = mount.type ?? "";
  const isTmpfs = type === "tmpfs";
  const keepsMode = isTmpfs && !options.data.some((option) => option.startsWith("mode="));
  const before = keepsMode ? p.buffer(STATX_SIZE, "before") : undefined;
  const isOrdinary = type === "proc" || type === "sysfs";
  const target = openTarget(p, state.root, path, {
    kind: isOrdinary ? "ordinary" : "directory",
    ...(before ? { before } : {}),
    failure: `${entry.text}: filesystem ${JSON.stringify(type)} must be mounted on ordinary directory`,
  });
  const fs = describeFileSystem(type, mount.source, options, isReadOnlyLater(entry), state.label);
  if (needsMountCall(fs)) {
    attachByFlags(state, entry, fs, target, before);
    return;
  }
  const created = createFileSystem(p, fs);
  if (type === "mqueue" && state.label !== undefined) labelMount(p, created, state.label);
  if (before) chmodAsBefore(p, created, before);
  if (isTmpfs && options.tmpcopyup) p.host({ do: "copy-up", from: target.step, to: created.step });
  attach(state, entry, created, target);
}

function attachByFlags(
  state: State,
  entry: Entry,
  fs: FileSystem,
  target: Result,
  before: OutBuffer | undefined,
): void {
  const { p } = state;
  refuseProcTarget(state, entry, target);
  mountByFlags(p, fs, target);
  const mount = openInRoot(p, state.root, entry.path, DIRECTORY, { name: "mount" });
  if (before) chmodAsBefore(p, mount, before);
  if (fs.type === "tmpfs" && entry.options.tmpcopyup)
    p.host({ do: "copy-up", from: target.step, to: mount.step });
  p.call("close", [target]);
  for (const propagation of entry.options.propagations) setPropagation(p, mount, propagation);
  keepOrClose(state, entry, mount);
}

function attachCgroups(state: State, entry: Entry): void {
  const { p, facts } = state;
  const target = openTarget(p, state.root, entry.path, {
    kind: "directory",
    failure: `${entry.text}: not a directory`,
  });
  refuseProcTarget(state, entry, target);
  const takeBound = () => state.sources.takeCgroups(entry.index, entry.options);
  mountCgroups(p, target, entry.mount.source, entry.options, facts.cgroupMounts, takeBound);
  p.call("close", [target]);
}

function remount(state: State, entry: Entry): void {
  const { p } = state;
  const { mount, options } = entry;
  const target = openInRoot(p, state.root, entry.path, ANYTHING, { name: "target" });
  refuseProcTarget(state, entry, target);
  reconfigure(p, target, describeFileSystem(mount.type ?? "", undefined, options, false), options);
  for (const propagation of options.propagations) setPropagation(p, target, propagation);
  p.call("close", [target]);
}
