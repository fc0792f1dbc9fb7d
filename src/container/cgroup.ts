// A container's cgroup by either driver: cgroupfs makes it itself, systemd makes a unit around the launcher.
import { removeCgroup } from "../cgroup/control.ts";
import { createCgroup, writeLateLimits } from "../cgroup/create.ts";
import type { CgroupPlan, CgroupRecord } from "../cgroup/types.ts";
import type { Context } from "../context.ts";
import { attachDeviceFilter } from "../host/device-filter.ts";
import { setUnitProperties, startUnit, stopUnit } from "../host/systemd.ts";

/**
 * What the cgroup needs before a process is there; with the systemd driver, nothing. True if the cgroup is made. What
 * is there after an error is not the container's. Throws TsruncError.
 */
export function openCgroup(ctx: Context, plan: CgroupPlan): boolean {
  if (plan.unit !== undefined) return false;
  createCgroup(plan);
  attachOrClose(ctx, plan);
  return true;
}

/** As {@link openCgroup}, for the systemd driver: a unit has to have a process from the start. */
export function adoptLauncher(ctx: Context, plan: CgroupPlan, launcherPid: number): boolean {
  if (plan.unit === undefined) return false;
  startUnit(ctx, plan.unit, launcherPid);
  try {
    createCgroup(plan);
  } catch (error) {
    closeCgroup(ctx, plan.record);
    throw error;
  }
  attachOrClose(ctx, plan);
  return true;
}

function attachOrClose(ctx: Context, { record, deviceFilter }: CgroupPlan): void {
  if (deviceFilter === undefined) return;
  try {
    attachDeviceFilter(ctx, deviceFilter);
  } catch (error) {
    closeCgroup(ctx, record);
    throw error;
  }
}

/** Limits for the time when the container's first process exists. Throws TsruncError. */
export function limitProcesses(ctx: Context, plan: CgroupPlan): void {
  if (plan.unit) setUnitProperties(ctx, plan.unit.record, plan.unit.lateProperties);
  writeLateLimits(plan);
}

/**
 * Removes a container's cgroup, whose processes have ended. Where systemd does not answer, its directories go all
 * the same. Throws TsruncError.
 */
export function closeCgroup(ctx: Context, record: CgroupRecord): void {
  try {
    if (record.unit) stopUnit(ctx, record.unit);
  } finally {
    removeCgroup(record);
  }
}
