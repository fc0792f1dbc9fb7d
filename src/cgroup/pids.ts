// The pids controller (kernel: cgroup-v1/pids.rst, cgroup-v2.rst "PID").
import type { Resources } from "../spec/resources.ts";
import type { CgroupWrite } from "./types.ts";

/** Number of tasks; negative is no limit, and 0 is a limit (config-linux.md "PIDs", since 1.3). */
export function planPids(hierarchy: string, pids: Resources["pids"]): readonly CgroupWrite[] {
  const limit = pids?.limit;
  if (limit === undefined) return [];
  const value = limit < 0n ? "max" : String(limit);
  return [{ hierarchy, file: "pids.max", value, why: "linux.resources.pids.limit" }];
}
