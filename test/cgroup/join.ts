// Puts a process of a test into a container's cgroup from outside.
import { writeFileSync } from "node:fs";
import { cgroupDirs } from "../../src/cgroup/processes.ts";
import type { CgroupRecord } from "../../src/cgroup/types.ts";

export function joinCgroup(record: CgroupRecord, pid: number): void {
  for (const dir of cgroupDirs(record)) writeFileSync(`${dir}/cgroup.procs`, String(pid));
}
