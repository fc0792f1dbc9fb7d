// The cpuset controller of v1 (kernel: cgroup-v1/cpusets.rst): a new cgroup has no CPU and no memory node, and takes
// no process until it has both.
import { posix } from "node:path";
import { readIfThere, writeFile } from "./write.ts";

/** Gives a cgroup and those above it that have none the CPUs and memory nodes of the next one above. */
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
