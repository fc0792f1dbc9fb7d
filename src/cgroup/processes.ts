// The processes of a container's cgroup.
import { readFileSync } from "node:fs";
import { TsruncError, toSyscallError } from "../errors.ts";
import type { CgroupRecord } from "./types.ts";
import { walkCgroup } from "./walk.ts";
import { isErrno, isGone } from "./write.ts";

const EOPNOTSUPP = 95;

/** The distinct directories of a record. */
export function cgroupDirs(record: CgroupRecord): readonly string[] {
  return [...new Set(Object.values(record.paths))];
}

/**
 * Pids of the container's cgroup and of those below it, in this process's pid namespace, ascending; none if it is
 * gone. On v1 the devices hierarchy counts, which every container is in but an ordinary user's. Throws SyscallError.
 */
export function readCgroupPids(record: CgroupRecord): readonly number[] {
  const dir = record.mode === "v2" ? record.paths.unified : record.paths.devices;
  return listPids(dir === undefined ? cgroupDirs(record) : [dir]);
}

/** Pids of all given cgroups and of those below them, ascending, without those of other pid namespaces (0). */
export function listPids(dirs: readonly string[]): readonly number[] {
  const pids = new Set<number>();
  for (const dir of dirs) {
    walkCgroup(dir, {
      enter: (path) => {
        for (const line of readProcs(path).split("\n"))
          if (line !== "" && line !== "0") pids.add(Number(line));
      },
    });
  }
  return [...pids].sort((a, b) => a - b);
}

function readProcs(dir: string): string {
  try {
    return readFileSync(`${dir}/cgroup.procs`, "utf8");
  } catch (error) {
    if (isGone(error)) return "";
    // A threaded cgroup has its processes in an ancestor, and only its threads are known here.
    if (isErrno(error, EOPNOTSUPP)) return readFileSync(`${dir}/cgroup.threads`, "utf8");
    throw toSyscallError(error, "list the container's processes", "read cgroup.procs");
  }
}

/** The v2 cgroup of a process, which must be `dir` or below. Throws TsruncError. */
export function findCgroupOf(pid: number, dir: string): string {
  const lines = readFileSync(`/proc/${pid}/cgroup`, "utf8").split("\n");
  const path = lines.find((line) => line.startsWith("0::"))?.slice(3) ?? "";
  // Without the mount point: the path from the hierarchy's root ends like the directory, then goes on.
  for (let at = dir.indexOf("/", 1); at >= 0; at = dir.indexOf("/", at + 1)) {
    const inner = dir.slice(at);
    if (path === inner || path.startsWith(`${inner}/`)) return `${dir.slice(0, at)}${path}`;
  }
  throw new TsruncError(`join the container's cgroup: process ${pid} is in ${path}, not below ${dir}`);
}
