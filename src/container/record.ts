// What tsrunc knows about a container between two commands: the content of ROOT/ID/state.json.
import { join } from "node:path";
import type { CgroupRecord } from "../cgroup/types.ts";
import type { ResctrlRecord } from "../host/resctrl.ts";

/** A hook as in config.json ("POSIX-platform Hooks" of config.md). `timeout` is in seconds. */
export interface HookRecord {
  readonly path: string;
  readonly args?: readonly string[] | undefined;
  readonly env?: readonly string[] | undefined;
  readonly timeout?: number | undefined;
}

/** The hooks that run after `create` has returned. */
export interface LaterHooks {
  readonly startContainer: readonly HookRecord[];
  readonly poststart: readonly HookRecord[];
  readonly poststop: readonly HookRecord[];
}

/**
 * Plain JSON. It is written before each thing that it names is made (with `phase: "creating"`), so that
 * `delete --force` finds everything that a killed `create` has left.
 */
export interface ContainerRecord {
  readonly version: 1;
  readonly id: string;
  readonly ociVersion: string;
  /** Absolute. */
  readonly bundle: string;
  /** Absolute. */
  readonly rootfs: string;
  /** RFC 3339, UTC, nine digits of fraction. */
  readonly created: string;
  readonly annotations: Readonly<Record<string, string>>;
  /** The effective uid that made the container. */
  readonly owner: number;
  /** `created` once everything that `create` makes stands. The container's status follows from it: status.ts. */
  readonly phase: "creating" | "created";
  /** The container's first process in the runtime's pid namespace; 0 while there is none. */
  readonly pid: number;
  /** Field 22 of /proc/PID/stat as decimal digits: tells the process from a later one with its number. */
  readonly startTime: string;
  readonly cgroup: CgroupRecord | null;
  /** False until the cgroup is made: before, what is in its place may be another container's. */
  readonly ownsCgroup: boolean;
  readonly hooks: LaterHooks;
  /** False: the kernel does not kill the other processes when the first one ends. */
  readonly hasOwnPidNamespace: boolean;
  /**
   * Without a mount namespace of its own, a container's mounts are made on the host. These are the mount points below
   * the root file system that were there before: all others go with the container. null: it has a namespace.
   */
  readonly keptMounts: readonly string[] | null;
  /** Who answers system calls of the container's process, if its seccomp profile has them answered. */
  readonly seccompAgent: SeccompAgent | null;
  /** Absent without linux.intelRdt. */
  readonly resctrl?: ResctrlRecord | undefined;
}

/** The cgroup that is the container's: processes in it are. */
export function ownCgroup({ cgroup, ownsCgroup }: ContainerRecord): CgroupRecord | null {
  return ownsCgroup ? cgroup : null;
}

/** `listenerPath` and `listenerMetadata` of linux.seccomp. */
export interface SeccompAgent {
  readonly path: string;
  readonly metadata?: string | undefined;
}

/** Files of a container's state directory (0700; the files 0600). */
export interface ContainerPaths {
  readonly dir: string;
  readonly record: string;
  /** The text of config.json as it was at `create`. */
  readonly config: string;
  /** JSON of `linux.resources` as the last `update` has left them; not there before. */
  readonly resources: string;
  /** Directory that is mounted on /run/notify; only there if the caller of `create` had a NOTIFY_SOCKET. */
  readonly notify: string;
  /** Socket that the waiting init accepts on; `start` unlinks it before it sends the batch. */
  readonly startSocket: string;
  /** The batch that `start` sends, compiled by `create`. */
  readonly startBatch: string;
  /** JSON: for each step of init's in the batch, the text of its error and whether an errno's text follows. */
  readonly startSteps: string;
}

/** Paths of a container's files. `id` must have passed `checkId`. */
export function containerPaths(root: string, id: string): ContainerPaths {
  const dir = join(root, id);
  return {
    dir,
    record: join(dir, "state.json"),
    config: join(dir, "config.json"),
    resources: join(dir, "resources.json"),
    notify: join(dir, "notify"),
    startSocket: join(dir, "start.sock"),
    startBatch: join(dir, "start.batch"),
    startSteps: join(dir, "start.json"),
  };
}

/** A time as `created` wants it. */
export function formatTimestamp(time: Date): string {
  return `${time.toISOString().slice(0, -1)}000000Z`;
}
