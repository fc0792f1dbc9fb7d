// `update`: other resources for a container that lives.
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { planDevicesV2, planDeviceUpdateV1 } from "../cgroup/devices.ts";
import { isFrozen, setFreezer } from "../cgroup/freezer.ts";
import { planWrites } from "../cgroup/plan.ts";
import { rewriteResources } from "../cgroup/rewrite.ts";
import type { CgroupRecord } from "../cgroup/types.ts";
import { planDeviceProperties, planUnitProperties } from "../cgroup/unit-properties.ts";
import { completeChange, mergeResources } from "../cgroup/update.ts";
import { writeResources } from "../cgroup/write.ts";
import type { Context } from "../context.ts";
import { phrases, TsruncError } from "../errors.ts";
import { replaceDeviceFilter } from "../host/device-filter.ts";
import { readSystemdFacts, setUnitProperties } from "../host/systemd.ts";
import { parseConfig, parseResources, type Resources } from "../spec/config.ts";
import { formatJson } from "../spec/json.ts";
import { withContainerLock } from "./lock.ts";
import { containerPaths } from "./record.ts";
import { computeStatus } from "./status.ts";
import { codeOf, describeFsError, readRecord } from "./store.ts";

/**
 * Changes the resources that `change` names, and keeps the whole in the container's state. `container not running`
 * for one that has stopped. After an error nothing has changed. Throws TsruncError, SyscallError.
 */
export async function updateContainer(ctx: Context, id: string, change: Resources): Promise<void> {
  await withContainerLock(ctx, id, () => {
    const record = readRecord(ctx, id);
    const status = computeStatus(ctx, record);
    if (status === "stopped" || status === "creating") throw new TsruncError(phrases.notRunning);
    const { cgroup } = record;
    if (cgroup === null) throw new TsruncError("update the container's resources: it has no cgroup");
    const { kernel, kernelTCP } = change.memory ?? {};
    if (kernel !== undefined || kernelTCP !== undefined)
      ctx.log.warn("kernel memory settings are ignored: the kernel accounts it with the rest");
    const current = readResources(ctx, id);
    const writes = planWrites(cgroup.mode, completeChange(current, change));
    const updateDevices = planDevices(ctx, cgroup, current, change);
    const updateUnit = planUnitChange(ctx, cgroup, current, change);
    rewriteResources(cgroup, writes, () => {
      if (updateUnit === undefined) return;
      updateUnit();
      // systemd has written what it makes of the properties, such as whole percents of a CPU.
      writeResources(cgroup, writes);
    });
    updateDevices?.();
    saveResources(ctx, id, mergeResources(current, change));
  });
}

/** What the container has now: as the last update has left it, or as config.json had it. */
function readResources(ctx: Context, id: string): Resources {
  const paths = containerPaths(ctx.root, id);
  try {
    return parseResources(readFileSync(paths.resources, "utf8"), paths.resources);
  } catch (error) {
    if (codeOf(error) !== "ENOENT") throw describeFsError("container's resources", error);
  }
  return parseConfig(readFileSync(paths.config, "utf8")).linux?.resources ?? {};
}

/** A reader sees either the old resources or the new ones. */
function saveResources(ctx: Context, id: string, resources: Resources): void {
  const path = containerPaths(ctx.root, id).resources;
  try {
    writeFileSync(`${path}.new`, formatJson(resources), { mode: 0o600 });
    renameSync(`${path}.new`, path);
  } catch (error) {
    throw describeFsError("container's resources", error);
  }
}

/** Plans the change of the unit's properties, if systemd has one, and gives what carries it out. */
function planUnitChange(
  ctx: Context,
  { mode, unit }: CgroupRecord,
  current: Resources,
  change: Resources,
): (() => void) | undefined {
  if (unit === undefined) return undefined;
  const facts = readSystemdFacts(ctx);
  const properties = [
    ...planUnitProperties(mode, completeChange(current, change), facts),
    ...(change.devices === undefined ? [] : planDeviceProperties(change.devices)),
  ];
  return () => setUnitProperties(ctx, unit, properties);
}

/** Plans the change of devices, if there is one, and gives what carries it out. */
function planDevices(
  ctx: Context,
  cgroup: CgroupRecord,
  current: Resources,
  { devices }: Resources,
): (() => void) | undefined {
  if (devices === undefined) return undefined;
  const dir = cgroup.paths.unified;
  if (cgroup.mode === "v2" && dir !== undefined) {
    const filter = planDevicesV2(devices, dir);
    return () => replaceDeviceFilter(ctx, dir, filter);
  }
  const { writes, isSeamless } = planDeviceUpdateV1(current.devices ?? [], devices);
  return () => {
    // Nothing of the container's runs while its devices are neither the old ones nor the new ones.
    const mustFreeze = !isSeamless && !isFrozen(cgroup);
    if (mustFreeze) setFreezer(cgroup, true);
    try {
      writeResources(cgroup, writes);
    } finally {
      if (mustFreeze) setFreezer(cgroup, false);
    }
  };
}
