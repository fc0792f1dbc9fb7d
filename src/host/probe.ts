// Collects what compilation needs to know of this host.
import { readFileSync, realpathSync, statSync } from "node:fs";
import { arch, release } from "node:os";
import { resolve } from "node:path";
import type { CgroupMounts, Facts, MountPoint, SourceType } from "../compile/facts.ts";
import { resolveSource } from "../compile/host-trees.ts";
import type { Context } from "../context.ts";
import { TsruncError } from "../errors.ts";
import { errnoText } from "../linux/errno.ts";
import { decodeOctal } from "../linux/mountinfo.ts";
import type { Architecture } from "../linux/syscalls.ts";
import type { Config } from "../spec/config.ts";
import { readLsm } from "./lsm.ts";
import { type Privilege, readPrivilege } from "./privilege.ts";

/** First kernel with everything that plans use unconditionally: mount_setattr (5.12), cgroup.kill (5.14). */
const KERNEL_FLOOR = [5, 14] as const;

/** `bundle` is absolute. Throws TsruncError: kernel too old, architecture unknown, no root file system. */
export function collectFacts(
  ctx: Context,
  config: Config,
  bundle: string,
  cgroupMounts: CgroupMounts,
  privilege: Privilege = readPrivilege(ctx),
): Facts {
  const kernel = parseKernelVersion(release());
  checkKernel(kernel);
  return {
    arch: readArchitecture(),
    euid: ctx.euid,
    kernel,
    bundle,
    rootfs: findRootfs(bundle, config.root.path),
    mountPoints: parseMountInfo(readFileSync("/proc/self/mountinfo", "utf8")),
    sources: findSources(config, bundle),
    cgroupMounts,
    ...privilege,
    lsm: readLsm(),
  };
}

/** `[major, minor]` of a release as uname(2) gives it. */
export function parseKernelVersion(text: string): readonly [number, number] {
  const match = /^(\d+)\.(\d+)/.exec(text);
  if (!match) throw new TsruncError(`unknown kernel release ${JSON.stringify(text)}`);
  return [Number(match[1]), Number(match[2])];
}

export function checkKernel([major, minor]: readonly [number, number]): void {
  const [floorMajor, floorMinor] = KERNEL_FLOOR;
  if (major < floorMajor || (major === floorMajor && minor < floorMinor))
    throw new TsruncError(
      `tsrunc needs Linux ${floorMajor}.${floorMinor} or later, and this is ${major}.${minor}`,
    );
}

/** The architecture that system calls of init are numbered for. */
export function readArchitecture(): Architecture {
  const found = ({ x64: "x86_64", arm64: "aarch64" } as const)[arch() as string];
  if (!found) throw new TsruncError(`tsrunc runs on x86_64 and aarch64, and this is ${arch()}`);
  return found;
}

function findRootfs(bundle: string, path: string): string {
  const rootfs = resolve(bundle, path);
  const fail = (call: string, errno: number): never => {
    throw new TsruncError(`root.path: invalid rootfs: ${call} ${rootfs}: ${errnoText(errno)}`);
  };
  let real: string;
  try {
    real = realpathSync(rootfs);
    if (!statSync(real).isDirectory()) return fail("stat", 20 /* ENOTDIR */);
  } catch (error) {
    const errno = (error as NodeJS.ErrnoException).errno;
    if (errno === undefined) throw error;
    return fail("stat", Math.abs(errno));
  }
  return real;
}

function findSources(config: Config, bundle: string): ReadonlyMap<string, SourceType> {
  const sources = new Map<string, SourceType>();
  for (const { type, source, options = [] } of config.mounts ?? []) {
    const isBind = type === "bind" || options.includes("bind") || options.includes("rbind");
    if (!isBind || source === undefined) continue;
    const path = resolveSource(bundle, source);
    if (!sources.has(path)) sources.set(path, readType(path));
  }
  return sources;
}

/** A source that cannot be looked at (EACCES, ELOOP) counts as absent: mounting it then gives the exact error. */
function readType(path: string): SourceType {
  try {
    return statSync(path).isDirectory() ? "directory" : "file";
  } catch (error) {
    if ((error as NodeJS.ErrnoException).errno === undefined) throw error;
    return "absent";
  }
}

/** Lines of /proc/PID/mountinfo (proc_pid_mountinfo(5)). */
export function parseMountInfo(text: string): readonly MountPoint[] {
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const fields = line.split(" ");
      const separator = fields.indexOf("-", 6);
      const [root = "", path = ""] = [fields[3], fields[4]];
      return {
        path: decodeOctal(path),
        root: decodeOctal(root),
        fsType: decodeOctal(fields[separator + 1] ?? ""),
        propagation: fields.slice(6, separator),
      };
    });
}
