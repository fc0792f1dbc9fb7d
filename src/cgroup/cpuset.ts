// The cpuset controller: lists such as `0-3,7` (kernel: cgroup-v1/cpusets.rst, cgroup-v2.rst "Cpuset").
import { posix } from "node:path";
import type { CpuResources } from "../spec/resources.ts";
import type { CgroupWrite } from "./types.ts";
import { readIfThere, writeFile } from "./write.ts";

/** CPUs and memory nodes; the files are the same on v1 (`cpuset`) and v2 (`unified`). */
export function planCpuset(hierarchy: "cpuset" | "unified", cpu: CpuResources = {}): readonly CgroupWrite[] {
  const { cpus, mems } = cpu;
  const writes: CgroupWrite[] = [];
  if (cpus !== undefined)
    writes.push({ hierarchy, file: "cpuset.cpus", value: cpus, why: "linux.resources.cpu.cpus" });
  if (mems !== undefined)
    writes.push({ hierarchy, file: "cpuset.mems", value: mems, why: "linux.resources.cpu.mems" });
  return writes;
}

/**
 * v1: a new cgroup has no CPU and no memory node, and takes no process until it has both. Gives a cgroup and those above it that
 * have none the CPUs and memory nodes of the next one above.
 */
export function inheritCpuset(path: string, mountPoint: string): void {
  for (const file of ["cpuset.cpus", "cpuset.mems"]) inheritFile(path, mountPoint, file);
}

function inheritFile(path: string, mountPoint: string, file: string): string {
  const value = readIfThere(`${path}/${file}`)?.trim() ?? "";
  if (value !== "" || path === mountPoint) return value;
  const inherited = inheritFile(posix.dirname(path), mountPoint, file);
  writeFile(`${path}/${file}`, inherited, "make the container's cgroup");
  return inherited;
}
