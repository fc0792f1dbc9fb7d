// `update`: other resources for a container that lives.
import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { planDevicesV2, planDeviceUpdateV1 } from "../cgroup/devices.ts";
import { isFrozen, setFreezer } from "../cgroup/freezer.ts";
import { planWrites } from "../cgroup/plan.ts";
import { rewriteResources } from "../cgroup/rewrite.ts";
import type { CgroupRecord } from "../cgroup/types.ts";
import { planDeviceProperties, planUnitProperties } from "../cgroup/unit-properties.ts";
import { completeChange, mergeResources } from "../cgroup/update.ts";
import { writeResources } from "../cgroup/write.ts";
import type { Context } from "../context.ts";
import { messageOf, phrases, TsruncError } from "../errors.ts";
import { replaceDeviceFilter } from "../host/device-filter.ts";
import type { SchemaChange } from "../host/resctrl.ts";
import { readSystemdFacts, setUnitProperties } from "../host/systemd.ts";
import { parseConfig, parseResources, type Resources } from "../spec/config.ts";
import { formatJson } from "../spec/json.ts";
import { withContainerLock } from "./lock.ts";
import { type ContainerRecord, containerPaths } from "./record.ts";
import { computeStatus } from "./status.ts";
import { codeOf, describeFsError, readRecord } from "./store.ts";

type DeviceRules = NonNullable<Resources["devices"]>;

/**
 * Changes the resources that `change` names, and the `schemas` of its resctrl group, and keeps the whole in the
 * container's state. `container not running` for one that has stopped. After an error nothing has changed. Throws
 * TsruncError, SyscallError.
 */
export async function updateContainer(
  ctx: Context,
  id: string,
  change: Resources,
  schemas?: SchemaChange,
): Promise<void> {
  await withContainerLock(ctx, id, async () => {
    const record = readRecord(ctx, id);
    const status = computeStatus(ctx, record);
    if (status === "stopped" || status === "creating") throw new TsruncError(phrases.notRunning);
    const undo = schemas && (await import("./update-resctrl.ts")).changeSchemas(ctx, record, schemas);
    try {
      changeResources(ctx, record, change);
    } catch (error) {
      if (undo) takeBack(ctx, undo);
      throw error;
    }
  });
}

function changeResources(ctx: Context, { id, cgroup }: ContainerRecord, change: Resources): void {
  if (Object.keys(change).length === 0) return;
  if (cgroup === null) throw new TsruncError("update the container's resources: it has no cgroup");
  const { kernel, kernelTCP } = change.memory ?? {};
  if (kernel !== undefined || kernelTCP !== undefined)
    ctx.log.warn("kernel memory settings are ignored: the kernel accounts it with the rest");
  const current = readResources(ctx, id);
  const writes = planWrites(cgroup.mode, completeChange(current, change));
  const devices = change.devices && planDevices(ctx, cgroup, current.devices ?? [], change.devices);
  const updateUnit = planUnitChange(ctx, cgroup, current, change);
  saveResources(ctx, id, mergeResources(current, change), () =>
    rewriteResources(cgroup, writes, () => {
      try {
        devices?.apply();
        if (updateUnit === undefined) return;
        updateUnit();
        // systemd has written what it makes of the properties, such as whole percents of a CPU.
        writeResources(cgroup, writes);
      } catch (error) {
        if (devices) takeBack(ctx, devices.undo);
        throw error;
      }
    }),
  );
}

/** The error that led here is what the caller must know of: what cannot be taken back is a warning. */
function takeBack(ctx: Context, undo: () => void): void {
  try {
    undo();
  } catch (error) {
    ctx.log.warn(`take back a failed update: ${messageOf(error)}`);
  }
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

/**
 * Saves them if `apply` succeeds; what can be foreseen to fail, such as a full disk, fails before. A reader sees either
 * the old resources or the new ones.
 */
function saveResources(ctx: Context, id: string, resources: Resources, apply: () => void): void {
  const path = containerPaths(ctx.root, id).resources;
  const fresh = `${path}.new`;
  const attempt = (action: () => void): void => {
    try {
      action();
    } catch (error) {
      throw describeFsError("container's resources", error);
    }
  };
  attempt(() => writeFileSync(fresh, formatJson(resources), { mode: 0o600 }));
  try {
    apply();
  } catch (error) {
    attempt(() => rmSync(fresh, { force: true }));
    throw error;
  }
  attempt(() => renameSync(fresh, path));
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

interface DeviceChange {
  readonly apply: () => void;
  /** Also after half of `apply`. */
  readonly undo: () => void;
}

/** Plans the change from the rules that the container has to others. */
function planDevices(
  ctx: Context,
  cgroup: CgroupRecord,
  current: DeviceRules,
  wanted: DeviceRules,
): DeviceChange {
  const dir = cgroup.paths.unified;
  if (cgroup.mode === "v2" && dir !== undefined) {
    const [before, after] = [planDevicesV2(current, dir), planDevicesV2(wanted, dir)];
    return {
      apply: () => replaceDeviceFilter(ctx, dir, after),
      undo: () => replaceDeviceFilter(ctx, dir, before),
    };
  }
  return {
    apply: () => writeDevicesV1(cgroup, planDeviceUpdateV1(current, wanted)),
    undo: () => writeDevicesV1(cgroup, planDeviceUpdateV1(wanted, current)),
  };
}

/** Nothing of the container's runs while its devices are neither the old ones nor the new ones. */
function writeDevicesV1(
  cgroup: CgroupRecord,
  { writes, isSeamless }: ReturnType<typeof planDeviceUpdateV1>,
): void {
  const mustFreeze = !isSeamless && !isFrozen(cgroup);
  if (mustFreeze) setFreezer(cgroup, true);
  try {
    writeResources(cgroup, writes);
  } finally {
    if (mustFreeze) setFreezer(cgroup, false);
  }
}
