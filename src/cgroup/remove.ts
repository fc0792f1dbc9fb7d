// Removes a container's cgroup.
import { rmdirSync } from "node:fs";
import { toSyscallError } from "../errors.ts";
import { cgroupDirs } from "./processes.ts";
import type { CgroupRecord } from "./types.ts";
import { waitUntil } from "./wait.ts";
import { walkCgroup } from "./walk.ts";
import { isErrno, isGone } from "./write.ts";

const EBUSY = 16;

/**
 * Removes the container's directories and the cgroups below them, never one above. A process that has just died may
 * hold its cgroup for a moment: EBUSY is an error after `timeoutMs` only. What is gone already is fine. Throws the
 * first SyscallError, after it has tried every directory.
 */
export function removeCgroup(record: CgroupRecord, timeoutMs = 5_000): void {
  const end = performance.now() + timeoutMs;
  const problems: unknown[] = [];
  for (const dir of cgroupDirs(record)) {
    try {
      if (tryRemove(dir) === undefined) continue;
      let problem: unknown;
      const isRemoved = (): boolean => {
        walkCgroup(dir, { leave: (below) => void tryRemove(below) });
        problem = tryRemove(dir);
        return problem === undefined;
      };
      if (!waitUntil(isRemoved, end - performance.now())) throw problem;
    } catch (error) {
      problems.push(toSyscallError(error, "remove the container's cgroup", `rmdir(${JSON.stringify(dir)})`));
    }
  }
  if (problems.length > 0) throw problems[0];
}

/**
 * Removes the directories that a killed `create` may have made before any process was in them. One that is in use, or
 * has cgroups below it, is another container's. Throws SyscallError.
 */
export function removeUnusedCgroup(record: CgroupRecord): void {
  for (const dir of cgroupDirs(record)) {
    try {
      tryRemove(dir);
    } catch (error) {
      throw toSyscallError(error, "remove the container's cgroup", `rmdir(${JSON.stringify(dir)})`);
    }
  }
}

/** Undefined if the directory is gone now; the error if it is busy. Throws any other error. */
function tryRemove(dir: string): unknown {
  try {
    rmdirSync(dir);
    return undefined;
  } catch (error) {
    if (isGone(error)) return undefined;
    if (isErrno(error, EBUSY)) return error;
    throw error;
  }
}
