// How a new process gets into the container's cgroup without a pause. Pure.
import { cgroupDirs } from "./processes.ts";
import type { CgroupRecord } from "./types.ts";

/**
 * Writing a pid to cgroup.procs takes a lock against all forks of the machine, which after a quiet while costs an
 * RCU grace period: 5 to 20 ms. Two ways do without (kernel/cgroup/cgroup.c, cgroup_procs_write_start and
 * cgroup_css_set_fork): on v1 a thread that moves itself, and on cgroup2 a process that is made in its place.
 */
export interface SelfJoin {
  /** v1: files that a process with one thread writes `0` to, absolute. */
  readonly taskFiles: readonly string[];
  /** cgroup2: the directory to open for clone3's CLONE_INTO_CGROUP (Linux 5.7). */
  readonly cloneInto?: string;
}

/** What the launcher does before, and in, the clone of the container's first process. */
export function planSelfJoin(record: CgroupRecord): SelfJoin {
  const { unified } = record.paths;
  const taskFiles = cgroupDirs(record).flatMap((dir) => (dir === unified ? [] : [`${dir}/tasks`]));
  return unified === undefined ? { taskFiles } : { taskFiles, cloneInto: unified };
}
