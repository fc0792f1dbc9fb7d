// How a new process gets into the container's cgroup without a pause.
import { AT_FDCWD, openFlags, type PlanBuilder } from "../plan/build.ts";
import type { Result } from "../plan/step.ts";

/**
 * Writing a pid to cgroup.procs takes a lock against all forks of the machine, which after a quiet while costs an
 * RCU grace period: 5 to 20 ms. Two ways do without (kernel/cgroup/cgroup.c, cgroup_procs_write_start and
 * cgroup_css_set_fork): on v1 a thread that moves itself, and on cgroup2 a process that is made in its place.
 */
export interface CgroupJoin {
  /** v1: files that a process with one thread writes `0` to, absolute. */
  readonly taskFiles: readonly string[];
  /** cgroup2: the directory to open for clone3's CLONE_INTO_CGROUP (Linux 5.7). */
  readonly cloneInto?: string;
}

/**
 * Moves init into the container's cgroups of v1, and opens that of cgroup2 for the fork. Paths are the host's: this
 * belongs before the namespaces. `isConfined`: the process that forks will be in another user namespace, or in a
 * cgroup namespace that it is itself outside of, where it may not choose a cgroup of the host (EACCES, ENOENT): then
 * init moves into that of cgroup2 too, pause or not.
 */
export function joinCgroups(p: PlanBuilder, join: CgroupJoin, isConfined: boolean): Result | undefined {
  return p.at("linux.cgroupsPath", "join the container's cgroup", () => {
    const moveInto = (file: string, name: string): void => {
      const fd = p.call("openat", [AT_FDCWD, file, openFlags("O_WRONLY", "O_CLOEXEC")], { name });
      p.call("write", [fd, "0", 1]);
      p.call("close", [fd]);
    };
    for (const file of join.taskFiles) moveInto(file, "tasks");
    if (join.cloneInto === undefined) return undefined;
    if (isConfined) {
      moveInto(`${join.cloneInto}/cgroup.procs`, "procs");
      return undefined;
    }
    const flags = openFlags("O_PATH", "O_DIRECTORY", "O_CLOEXEC");
    return p.call("openat", [AT_FDCWD, join.cloneInto, flags], { name: "cgroup" });
  });
}
