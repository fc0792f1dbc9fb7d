// Makes a container's cgroup and gives it its limits.
import { mkdirSync, rmdirSync } from "node:fs";
import { posix } from "node:path";
import { TsruncError, toSyscallError } from "../errors.ts";
import { inheritCpuset } from "./cpuset.ts";
import { giveCgroup } from "./ownership.ts";
import { listPids } from "./processes.ts";
import { enableControllers } from "./subtree-control.ts";
import type { CgroupDirectory, CgroupPlan, CgroupRecord } from "./types.ts";
import { isErrno, readIfThere, writeResources } from "./write.ts";

const ENOENT = 2;
const EEXIST = 17;
const INTENT = "linux.cgroupsPath: make the container's cgroup";

/**
 * Makes the directories and writes what comes before the first process joins; `lateWrites` and `deviceFilter` are
 * the caller's. A directory that exists is taken if it is empty and not frozen. After an error everything that was
 * made is gone. Throws TsruncError, SyscallError.
 */
export function createCgroup(plan: CgroupPlan): void {
  const made: string[] = [];
  try {
    for (const directory of plan.directories) {
      const isNew = makeDirectory(directory.path, directory.mountPoint, made);
      // systemd has made its unit's around the launcher.
      if (!isNew && plan.unit === undefined) refuseProcesses(directory.path);
      prepareDirectory(directory, plan.record);
    }
    writeResources(plan.record, plan.writes);
    const dir = plan.record.paths.unified;
    if (plan.ownerUid !== undefined && dir !== undefined) giveCgroup(dir, plan.ownerUid);
  } catch (error) {
    for (const path of made.reverse()) removeMade(path);
    throw error;
  }
}

/** Writes what the plan keeps for the time when the container's first process exists. Throws SyscallError. */
export function writeLateLimits(plan: CgroupPlan): void {
  writeResources(plan.record, plan.lateWrites);
}

/** Makes a directory and those above it that are missing, up to the mount point; false if it was there. */
function makeDirectory(path: string, mountPoint: string, made: string[]): boolean {
  for (let tries = 0; ; tries++) {
    try {
      mkdirSync(path, 0o755);
      made.push(path);
      return true;
    } catch (error) {
      if (isErrno(error, EEXIST)) return false;
      const parent = posix.dirname(path);
      // Another container's roll-back may take the parent away again.
      const mayMakeParent = isErrno(error, ENOENT) && parent.startsWith(`${mountPoint}/`) && tries < 10;
      if (!mayMakeParent) throw toSyscallError(error, INTENT, `mkdir(${JSON.stringify(path)}, 0755)`);
      makeDirectory(parent, mountPoint, made);
    }
  }
}

/** What this cgroup holds would get the container's limits, and be killed with it. */
function refuseProcesses(path: string): void {
  const count = listPids([path]).length;
  if (count > 0) throw new TsruncError(`container's cgroup is not empty: ${count} process(es) found`);
}

/** What a hierarchy needs before a process can join; a process that joins a frozen cgroup would not run. */
function prepareDirectory({ hierarchies, mountPoint, path }: CgroupDirectory, { mode }: CgroupRecord): void {
  if (hierarchies.includes("cpuset")) inheritCpuset(path, mountPoint);
  if (hierarchies.includes("freezer") && readIfThere(`${path}/freezer.state`) !== "THAWED\n") refuseFrozen();
  if (!hierarchies.includes("unified")) return;
  if (readIfThere(`${path}/cgroup.events`)?.split("\n").includes("frozen 1")) refuseFrozen();
  if (mode === "v2") enableControllers(path, mountPoint);
}

function refuseFrozen(): never {
  throw new TsruncError("container's cgroup unexpectedly frozen");
}

/** The error that led here is what the caller must know of: what cannot be removed stays, and is empty. */
function removeMade(path: string): void {
  try {
    rmdirSync(path);
  } catch (error) {
    toSyscallError(error, INTENT, "rmdir");
  }
}
