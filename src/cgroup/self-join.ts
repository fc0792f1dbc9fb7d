// Which files and directories a new process joins a container's cgroup through.
import type { CgroupJoin } from "../compile/cgroup-join.ts";
import { cgroupDirs, findCgroupOf } from "./processes.ts";
import type { CgroupRecord, UnitRecord } from "./types.ts";
import { readIfThere } from "./write.ts";

/** Pure: for the container's first process. */
export function planSelfJoin(record: CgroupRecord): CgroupJoin {
  const { unified } = record.paths;
  const taskFiles = cgroupDirs(record).flatMap((dir) => (dir === unified ? [] : [`${dir}/tasks`]));
  return unified === undefined ? { taskFiles } : { taskFiles, cloneInto: unified };
}

/** The unit that a process of an ordinary user gets into by systemd alone: no other way leads there from a session. */
export function findUserUnit({ unit }: CgroupRecord): UnitRecord | undefined {
  return unit?.isUser ? unit : undefined;
}

/** Pure: the cgroup to join as a path from the container's own one, which is `/`. */
export function innerPath({ paths }: CgroupRecord, { cloneInto }: CgroupJoin): string {
  const own = paths.unified ?? "";
  return cloneInto?.startsWith(`${own}/`) ? cloneInto.slice(own.length) : "/";
}

/**
 * For a further process. A container's manager (systemd) may have moved its processes below the container's cgroup
 * and given controllers to those, which then takes no process itself (v2: EBUSY): the process then joins the one
 * that the container's first process is in. Throws SyscallError, TsruncError.
 */
export function findSelfJoin(record: CgroupRecord, initPid: number): CgroupJoin {
  const join = planSelfJoin(record);
  if (record.mode !== "v2" || join.cloneInto === undefined) return join;
  const controllers = readIfThere(`${join.cloneInto}/cgroup.subtree_control`)?.trim() ?? "";
  return controllers === "" ? join : { ...join, cloneInto: findCgroupOf(initPid, join.cloneInto) };
}
