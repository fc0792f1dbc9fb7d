// What compilation needs to know of this host, collected by src/host/probe.ts. `compile(config, facts)` is pure.
import type { Architecture } from "../linux/syscalls.ts";

export type SourceType = "directory" | "file" | "absent";

/** One line of /proc/self/mountinfo (proc_pid_mountinfo(5)), with its octal escapes decoded. */
export interface MountPoint {
  readonly path: string;
  readonly root: string;
  readonly fsType: string;
  /** `shared:N`, `master:N`, … */
  readonly propagation: readonly string[];
}

/** How the container's cgroups appear to a mount of type cgroup. */
export interface CgroupMounts {
  /** v2: the container's cgroup directory on the host; absent on v1 and hybrid. */
  readonly unified?: string;
  /** v1: the directory of each hierarchy on the host and its name under /sys/fs/cgroup. */
  readonly hierarchies: readonly { readonly source: string; readonly name: string }[];
  /** v1: symbolic links, for example `cpu` → `cpu,cpuacct`. */
  readonly links: readonly { readonly name: string; readonly target: string }[];
}

/** Linux security modules that are in force. */
export interface LsmFacts {
  readonly apparmor: boolean;
  readonly selinux: boolean;
}

export interface Facts {
  readonly arch: Architecture;
  readonly euid: number;
  /** Whether this process may mount in its own mount namespace. */
  readonly mayMount: boolean;
  /** Whether this process is in a user namespace other than the host's, where nobody may make device nodes. */
  readonly isInUserNamespace: boolean;
  /** `[major, minor]` of the running kernel. */
  readonly kernel: readonly [number, number];
  /** The bundle, absolute. */
  readonly bundle: string;
  /** The root file system, absolute, symbolic links resolved. */
  readonly rootfs: string;
  /** Mount points of the runtime namespace. */
  readonly mountPoints: readonly MountPoint[];
  /** Type of each source of a bind mount, by the path as `resolveSource` gives it. */
  readonly sources: ReadonlyMap<string, SourceType>;
  readonly cgroupMounts: CgroupMounts;
  /** Bit mask of the capabilities in this process's bounding set. */
  readonly boundingSet: bigint;
  readonly lsm: LsmFacts;
}
