// Device nodes and links in the container's /dev ("Default Devices" and "Devices" in config-linux.md). The image may
// hold anything at these places, so each node is made in a directory that is held open, and what is there already
// must be that very device (CVE-2026-41579, CVE-2026-47766).
import { posix } from "node:path";
import { ConfigError } from "../errors.ts";
import { errnoNumber } from "../linux/errno.ts";
import {
  AT,
  OPEN_HOW_SIZE,
  RESOLVE,
  S,
  STATX_BASIC_STATS,
  STATX_OFFSETS,
  STATX_SIZE,
} from "../linux/mount-flags.ts";
import { AT_FDCWD, flags, load, openFlags, openHow, type PlanBuilder } from "../plan/build.ts";
import type { NumberArg, Result } from "../plan/step.ts";
import type { Config, LinuxDevice } from "../spec/config.ts";
import type { Facts } from "./facts.ts";
import { moveMount, statFd } from "./mount-calls.ts";
import type { MountSources } from "./mount-sources.ts";
import { ALL_BITS, cleanPath, DIRECTORY, ensureDirectory, openOrMake } from "./mount-target.ts";

/** Device numbers of the kernel (makedev(3)): 12 bits and 20 bits. */
const [MAX_MAJOR, MAX_MINOR] = [0xfff, 0xfffff];
const DEFAULT_MODE = 0o666;

const DEFAULT_DEVICES: readonly (readonly [name: string, major: number, minor: number])[] = [
  ["null", 1, 3],
  ["zero", 1, 5],
  ["full", 1, 7],
  ["random", 1, 8],
  ["urandom", 1, 9],
  ["tty", 5, 0],
];
const DEFAULT_LINKS: readonly (readonly [name: string, target: string])[] = [
  ["fd", "/proc/self/fd"],
  ["stdin", "/proc/self/fd/0"],
  ["stdout", "/proc/self/fd/1"],
  ["stderr", "/proc/self/fd/2"],
];

export interface ListedDevice {
  readonly device: LinuxDevice;
  /** Config path for plans and errors. */
  readonly path: string;
}

/** All nodes to make: the default ones, of which linux.devices may replace some, and linux.devices. */
export function listDevices(config: Config): readonly ListedDevice[] {
  const devices = new Map<string, ListedDevice>();
  for (const [name, major, minor] of DEFAULT_DEVICES) {
    const path = `/dev/${name}`;
    devices.set(path, {
      device: { type: "c", path, major: BigInt(major), minor: BigInt(minor) },
      path: "linux.devices",
    });
  }
  for (const [index, device] of (config.linux?.devices ?? []).entries())
    devices.set(cleanPath(device.path), { device, path: `linux.devices[${index}]` });
  devices.delete("/dev/ptmx"); // a link into the container's own devpts instead
  return [...devices.values()];
}

/** Whether a container in a user namespace gets the host's node bound: it may make fifos and no devices. */
export function isBoundDevice(device: LinuxDevice): boolean {
  return device.type !== "p";
}

/** A /dev that is bound from somewhere is left as it is: its content is the caller's business. */
function hasOwnDev(config: Config): boolean {
  return !(config.mounts ?? []).some(
    ({ type, destination, options = [] }) =>
      cleanPath(destination) === "/dev" &&
      (type === "bind" || options.includes("bind") || options.includes("rbind")),
  );
}

/** Makes devices and links. For init in the container's mount namespace, before it enters the root. */
export function createDevices(
  p: PlanBuilder,
  config: Config,
  _facts: Facts,
  root: Result,
  sources: MountSources,
): void {
  if (!hasOwnDev(config)) return;
  const directories = new Map<string, ListedDevice[]>([["/dev", []]]);
  for (const listed of listDevices(config)) {
    const directory = posix.dirname(cleanPath(listed.device.path));
    directories.set(directory, [...(directories.get(directory) ?? []), listed]);
  }
  for (const [directory, devices] of directories) {
    const parent = p.at(devices[0]?.path ?? "linux.devices", `create devices in ${directory}`, () => {
      ensureDirectory(p, root, directory);
      return openOrMake(p, root, directory, DIRECTORY, "directory", { name: "directory" });
    });
    for (const { device, path } of devices)
      p.at(path, `create the device ${device.path}`, () => {
        const source = sources.takeDevice(device, cleanPath(device.path));
        if (source) bindDevice(p, parent, device, source);
        else makeDevice(p, parent, device, path);
      });
    p.at("linux.devices", `create devices in ${directory}`, () => {
      if (directory === "/dev") createLinks(p, parent);
      p.call("close", [parent]);
    });
  }
}

/** On an empty file, which for a mount is as good as a node. */
function bindDevice(p: PlanBuilder, parent: Result, device: LinuxDevice, source: Result): void {
  const name = posix.basename(cleanPath(device.path));
  p.call("mknodat", [parent, name, { kind: "number", value: S.S_IFREG, text: "S_IFREG" }, 0], {
    tolerate: ["EEXIST"],
  });
  const target = openNode(p, parent, name);
  moveMount(p, source, target);
  p.call("close", [target]);
  p.call("close", [source]);
}

const ITSELF = openHow(
  openFlags("O_PATH", "O_NOFOLLOW", "O_CLOEXEC"),
  flags(RESOLVE, "RESOLVE_BENEATH", "RESOLVE_NO_SYMLINKS"),
);

/** The node itself: a symbolic link in its place is opened as such, and then is the wrong kind of thing. */
function openNode(p: PlanBuilder, parent: Result, name: string): Result {
  return p.call("openat2", [parent, name, ITSELF, OPEN_HOW_SIZE], { name: "node" });
}

interface DeviceNumber {
  /** As mknod(2) takes it. */
  readonly dev: NumberArg;
  /** As statx(2) gives it: major in the lower, minor in the upper 32 bits. */
  readonly rdev: bigint;
}

function deviceNumber(device: LinuxDevice, path: string): DeviceNumber {
  const [major, minor] = [device.major ?? 0n, device.minor ?? 0n].map(BigInt) as [bigint, bigint];
  const isValid = major >= 0n && minor >= 0n && major <= MAX_MAJOR && minor <= MAX_MINOR;
  if (!isValid) {
    const message = `there is no device ${major}:${minor}: the largest is ${MAX_MAJOR}:${MAX_MINOR}`;
    throw new ConfigError("config.json", [{ path, message }]);
  }
  const value = (minor & 0xffn) | (major << 8n) | ((minor & ~0xffn) << 12n);
  return {
    dev: { kind: "number", value, text: `makedev(${major}, ${minor})` },
    rdev: major | (minor << 32n),
  };
}

const TYPES = { c: "S_IFCHR", u: "S_IFCHR", b: "S_IFBLK", p: "S_IFIFO" } as const;

function makeDevice(p: PlanBuilder, parent: Result, device: LinuxDevice, configPath: string): void {
  const path = cleanPath(device.path);
  const name = posix.basename(path);
  const type = TYPES[device.type];
  const bits = (device.fileMode ?? DEFAULT_MODE) & 0o7777;
  const mode: NumberArg = { kind: "number", value: S[type] | bits, text: `${type}|0${bits.toString(8)}` };
  const number = type === "S_IFIFO" ? { dev: 0, rdev: 0n } : deviceNumber(device, configPath);
  const failure = `${configPath}: create the device ${path}: something else is there already`;
  const [uid, gid] = [device.uid ?? 0, device.gid ?? 0];
  const verify = (use: (node: Result) => void): void => {
    const node = openNode(p, parent, name);
    verifyNode(p, node, S[type], number.rdev, failure);
    use(node);
    p.call("close", [node]);
  };
  // The umask is 0 (see `attachRootfs`), so the mode is exact.
  p.call("mknodat", [parent, name, mode, number.dev], {
    tolerate: ["EEXIST"],
    onSuccess: () => {
      if (uid !== 0 || gid !== 0)
        verify((node) => p.call("fchownat", [node, "", uid, gid, flags(AT, "AT_EMPTY_PATH")]));
    },
    onError: () => verify(() => {}),
  });
}

/** Fails unless the descriptor is a device of this type and number. */
export function verifyNode(p: PlanBuilder, node: Result, type: number, rdev: bigint, failure: string): void {
  const stat = p.buffer(STATX_SIZE, "stat");
  const mask: NumberArg = { kind: "number", value: STATX_BASIC_STATS, text: "STATX_BASIC_STATS" };
  statFd(p, node, mask, stat);
  const errno = errnoNumber("ENODEV");
  p.check(load(stat, STATX_OFFSETS.mode, 4, "stx_mode"), S.S_IFMT, type, errno, { failure });
  p.check(load(stat, STATX_OFFSETS.rdev, 8, "stx_rdev"), ALL_BITS, rdev, errno, { failure });
}

function createLinks(p: PlanBuilder, dev: Result): void {
  for (const [name, target] of DEFAULT_LINKS)
    p.call("symlinkat", [target, dev, name], { tolerate: ["EEXIST"] });
  // Still the host's: a kernel may be built without it.
  p.call("faccessat2", [AT_FDCWD, "/proc/kcore", 0, 0], {
    tolerate: ["ENOENT", "EACCES"],
    onSuccess: () => p.call("symlinkat", ["/proc/kcore", dev, "core"], { tolerate: ["EEXIST"] }),
  });
  p.call("unlinkat", [dev, "ptmx", 0], { tolerate: ["ENOENT"] });
  p.call("symlinkat", ["pts/ptmx", dev, "ptmx"]);
}
