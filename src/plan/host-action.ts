// What the host lane can do: data, so that a plan can be printed and tested. src/host carries it out.
import type { IdMapping } from "../spec/config.ts";

/** Which process a /proc file belongs to: init before its fork, or the container's first process. */
export type Subject = "launcher" | "container";

export type HostAction =
  /** Write a file of /proc/PID, for example `uid_map`. */
  | { readonly do: "write-proc"; readonly of: Subject; readonly file: string; readonly value: string }
  /** Map the ids of init's new user namespace; `deniesGroups`: write `deny` to /proc/PID/setgroups first. */
  | {
      readonly do: "map-ids";
      readonly uid: readonly IdMapping[];
      readonly gid: readonly IdMapping[];
      readonly deniesGroups: boolean;
    }
  /** Put the pid and start time of the container's first process into its state. */
  | { readonly do: "record-process" }
  /** Put the container's or exec's first process into the container's resctrl group. */
  | { readonly do: "join-resctrl" }
  /** Write the cgroup limits that count the launcher too, such as `pids.max`. */
  | { readonly do: "write-late-limits" }
  /** Run the hooks of a moment; `inContainer`: in the namespaces of the container's first process. */
  | { readonly do: "run-hooks"; readonly kind: HookKind; readonly inContainer: boolean }
  /** Raise resource limits of the container's first process from outside, where the caller may. */
  | { readonly do: "raise-rlimits"; readonly limits: readonly RlimitValue[] }
  /** Move network devices to the container's network namespace; `socket`: the step that opened a netlink socket there. */
  | { readonly do: "move-net-devices"; readonly devices: readonly NetDevice[]; readonly socket: number }
  /** Copy the content of a directory of the container into the tmpfs that will cover it. */
  | { readonly do: "copy-up"; readonly from: number; readonly to: number }
  /**
   * Make a path below a directory of the container, given by the step that opened it. Symbolic links are followed below
   * that directory, and what they lead to is made.
   */
  | {
      readonly do: "make-path";
      readonly root: number;
      readonly unsafePath: string;
      readonly kind: "directory" | "file";
    };

export type HookKind =
  | "prestart"
  | "createRuntime"
  | "createContainer"
  | "startContainer"
  | "poststart"
  | "poststop";

export interface NetDevice {
  readonly name: string;
  /** In the container; a `%d` in it stands for a number that the kernel chooses. */
  readonly newName: string;
}

export interface RlimitValue {
  readonly name: string;
  readonly resource: number;
  readonly soft: bigint;
  readonly hard: bigint;
}
