// The memory controller: limits in bytes, -1 for none; 0 asks for nothing (kernel: cgroup-v1/memory.rst,
// cgroup-v2.rst "Memory").
import type { MemoryResources } from "../spec/resources.ts";
import type { CgroupWrite } from "./types.ts";

const WHY = "linux.resources.memory.limit";

export function planMemoryV1(memory: MemoryResources | undefined): readonly CgroupWrite[] {
  const limit = memory?.limit ?? 0n;
  if (limit === 0n) return [];
  const write: CgroupWrite = {
    hierarchy: "memory",
    file: "memory.limit_in_bytes",
    value: String(limit),
    why: WHY,
  };
  if (limit !== -1n) return [write];
  // The limit of memory and swap together is never below that of memory: it has to go first. A kernel that does
  // not account swap lacks the file.
  return [{ ...write, file: "memory.memsw.limit_in_bytes", ifMissing: "skip" }, write];
}

export function planMemoryV2(memory: MemoryResources | undefined): readonly CgroupWrite[] {
  const limit = memory?.limit ?? 0n;
  if (limit === 0n) return [];
  const value = limit === -1n ? "max" : String(limit);
  const write: CgroupWrite = { hierarchy: "unified", file: "memory.max", value, why: WHY };
  // As on v1, where "no limit" of memory lifts that of memory and swap too.
  if (limit === -1n) return [{ ...write, file: "memory.swap.max", ifMissing: "skip" }, write];
  return [write];
}
