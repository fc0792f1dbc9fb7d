// What the cgroup room works on: the host's hierarchies, the plan for one container's cgroup, and what the
// container's state keeps of it. All plain data.
import type { Resources } from "../spec/resources.ts";
import type { BusValue } from "./gvariant.ts";

/**
 * `v1`: controllers in hierarchies of their own; `hybrid`: that, and a cgroup2 hierarchy without controllers;
 * `v2`: everything in one hierarchy; `none`: no cgroup file system is mounted.
 */
export type CgroupMode = "v1" | "hybrid" | "v2" | "none";

/** A mounted hierarchy as a controller sees it. All paths are absolute. */
export interface Hierarchy {
  readonly mountPoint: string;
  /** The cgroup that appears at the mount point, `/` unless a part of the hierarchy is mounted. */
  readonly root: string;
  /** The cgroup of this process in the hierarchy, as /proc/self/cgroup has it. */
  readonly own: string;
}

export interface CgroupLayout {
  readonly mode: CgroupMode;
  /** v1 hierarchies by controller; a named one is `name=systemd`. */
  readonly controllers: ReadonlyMap<string, Hierarchy>;
  /** The cgroup2 hierarchy (v2, hybrid). */
  readonly unified?: Hierarchy;
}

/** What the container's state keeps of its cgroup: plain JSON. */
export interface CgroupRecord {
  readonly driver: "cgroupfs" | "systemd";
  /** The unit that systemd has for it; undefined for cgroupfs. */
  readonly unit?: UnitRecord;
  readonly mode: Exclude<CgroupMode, "none">;
  /**
   * The container's directory in each hierarchy, absolute, by controller (`memory`, `name=systemd`) and
   * `unified` for cgroup2. Controllers that are mounted together have the same directory.
   */
  readonly paths: Readonly<Record<string, string>>;
}

/** One value for one file of the container's cgroup. */
export interface CgroupWrite {
  /** Key of CgroupRecord.paths: whose directory the file is in. */
  readonly hierarchy: string;
  /** For example `memory.limit_in_bytes`. On v2 its first part is the controller. */
  readonly file: string;
  readonly value: string;
  /** The config path that asked for it, for example `linux.resources.memory.limit`. */
  readonly why: string;
  /** What to do where the kernel lacks the file (ENOENT): nothing, or another write. An error unless set. */
  readonly ifMissing?: "skip" | { readonly file: string; readonly value: string };
  /** The kernel checks this value against that of a later write: on EINVAL, try once more after those. */
  readonly ifInvalid?: "retry last";
  /** Nothing at all is written unless `amount` is more than the number in this file of the same cgroup. */
  readonly mustExceed?: { readonly file: string; readonly amount: bigint };
}

/** A directory of the container's cgroup; directories above it are made where they are missing. */
export interface CgroupDirectory {
  /** Keys of CgroupRecord.paths that share it. */
  readonly hierarchies: readonly string[];
  readonly mountPoint: string;
  readonly path: string;
}

/** The device filter of cgroup v2: src/host loads it (bpf(2)) and attaches it to `dir`. */
export interface DeviceFilter {
  /** The container's cgroup, to attach to with BPF_CGROUP_DEVICE and BPF_F_ALLOW_MULTI. */
  readonly dir: string;
  /** `struct bpf_insn[]` of a BPF_PROG_TYPE_CGROUP_DEVICE program, little-endian, 8 bytes each. */
  readonly program: Uint8Array;
  readonly why: string;
}

export interface UnitRecord {
  /** `tsrunc-web.scope`. */
  readonly name: string;
  /** It is the user's manager that has it, not the system's. */
  readonly isUser: boolean;
}

/** A property of a unit as systemd has it on D-Bus (org.freedesktop.systemd1(5)). */
export interface UnitProperty {
  readonly name: string;
  /** D-Bus type of the value. */
  readonly signature: string;
  readonly value: BusValue;
}

/** The transient unit that systemd makes around the container's first process. */
export interface UnitPlan {
  readonly record: UnitRecord;
  readonly properties: readonly UnitProperty[];
  /** Those that go with `lateWrites`. */
  readonly lateProperties: readonly UnitProperty[];
}

/** What the systemd driver has to know of the manager. */
export interface SystemdFacts {
  readonly isUser: boolean;
  /** 252 and the like. */
  readonly version: number;
  /** The manager's own cgroup, below which all its units are; `/` or empty on a host. */
  readonly controlGroup: string;
}

export interface CgroupPlan {
  readonly record: CgroupRecord;
  /** systemd driver only: it makes the directories that it knows of. */
  readonly unit?: UnitPlan;
  /** The host's uid that is to own the directory and what is delegated with it; v2 only. */
  readonly ownerUid?: number;
  /** In the order in which they are made and joined. */
  readonly directories: readonly CgroupDirectory[];
  /** In the order in which they are written, before any process joins. */
  readonly writes: readonly CgroupWrite[];
  /**
   * Limits that init would meet itself, so written once the container's first process exists: `pids.limit` counts
   * the launcher too.
   */
  readonly lateWrites: readonly CgroupWrite[];
  /** v2 only; absent if every device is allowed. */
  readonly deviceFilter?: DeviceFilter;
}

export interface CgroupRequest {
  /** The container's id. */
  readonly id: string;
  /** `linux.cgroupsPath`. */
  readonly cgroupsPath?: string | undefined;
  /** `linux.resources`. */
  readonly resources?: Resources | undefined;
  readonly annotations?: Readonly<Record<string, string>> | undefined;
  /** See ownership.ts. */
  readonly ownerUid?: number | undefined;
  /** Given for the systemd driver. */
  readonly systemd?: SystemdFacts | undefined;
}
