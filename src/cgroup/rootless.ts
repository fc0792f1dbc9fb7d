// The cgroup of a container whose caller may not make cgroups everywhere: what cannot be had is done without.
import { accessSync, constants, existsSync } from "node:fs";
import { posix } from "node:path";
import { TsruncError } from "../errors.ts";
import type { CgroupDirectory, CgroupLayout, CgroupPlan, CgroupWrite } from "./types.ts";

/**
 * The plan without device rules: only the host's root can set them (bpf(2), devices.allow), and nobody else can open a
 * device that they would have to refuse.
 */
export function leaveDevices({ deviceFilter: _, ...plan }: CgroupPlan): CgroupPlan {
  return { ...plan, writes: plan.writes.filter(({ hierarchy }) => hierarchy !== "devices") };
}

/**
 * The plan without the hierarchies that this caller can make no directory in, or join no process to, as runc does it
 * where config.json has no cgroupsPath. Throws TsruncError if a limit is asked for in a hierarchy that is missing.
 */
export function leaveUnusable(plan: CgroupPlan, layout: CgroupLayout): CgroupPlan {
  const { deviceFilter, ...rest } = plan;
  const directories = plan.directories.filter((directory) => canUse(directory, layout));
  const names = new Set(directories.flatMap(({ hierarchies }) => hierarchies));
  const keep = (write: CgroupWrite): boolean => {
    if (names.has(write.hierarchy)) return true;
    throw new TsruncError(`${write.why}: the limit cannot be set: container could not join or create cgroup`);
  };
  const paths = Object.fromEntries(Object.entries(plan.record.paths).filter(([name]) => names.has(name)));
  return {
    ...rest,
    ...(deviceFilter && names.has("unified") ? { deviceFilter } : {}),
    record: { ...plan.record, paths },
    directories,
    writes: plan.writes.filter(keep),
    lateWrites: plan.lateWrites.filter(keep),
  };
}

function canUse({ path, mountPoint, hierarchies }: CgroupDirectory, layout: CgroupLayout): boolean {
  let existing = path;
  while (existing !== mountPoint && !existsSync(existing)) existing = posix.dirname(existing);
  if (existing === path) return isWritable(`${path}/cgroup.procs`);
  if (!isWritable(existing)) return false;
  const own = hierarchies.includes("unified") ? layout.unified?.own : undefined;
  if (own === undefined) return true;
  // cgroups(7): on v2 a process is moved by whoever may write to the nearest common ancestor's cgroup.procs.
  return isWritable(`${findCommon(path, `${mountPoint}${own}`, mountPoint)}/cgroup.procs`);
}

function findCommon(a: string, b: string, top: string): string {
  let common = a;
  while (common !== top && b !== common && !b.startsWith(`${common}/`)) common = posix.dirname(common);
  return common;
}

/** access(2), which also tells a read-only file system. */
function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).errno === undefined) throw error;
    return false;
  }
}
