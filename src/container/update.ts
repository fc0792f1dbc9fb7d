// `update`: other resources for a container that lives.
import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { planWrites } from "../cgroup/plan.ts";
import { rewriteResources } from "../cgroup/rewrite.ts";
import type { CgroupRecord } from "../cgroup/types.ts";
import { planUnitProperties } from "../cgroup/unit-properties.ts";
import { completeChange, mergeResources } from "../cgroup/update.ts";
import type { Context } from "../context.ts";
import { messageOf, phrases, TsruncError } from "../errors.ts";
import type { SchemaChange } from "../host/resctrl.ts";
import { readSystemdFacts, setUnitProperties } from "../host/systemd.ts";
import { parseConfig, parseResources, type Resources } from "../spec/config.ts";
import { formatJson } from "../spec/json.ts";
import { withContainerLock } from "./lock.ts";
import { type ContainerRecord, containerPaths } from "./record.ts";
import { computeStatus } from "./status.ts";
import { codeOf, describeFsError, readRecord } from "./store.ts";

/**
 * Changes the resources that `change` names, but not its devices, and the `schemas` of its resctrl group, and keeps the
 * whole in the container's state. `container not running` for one that has stopped. After an error nothing has changed. Throws
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

function changeResources(ctx: Context, { id, cgroup }: ContainerRecord, wanted: Resources): void {
  if (Object.keys(wanted).length === 0) return;
  const current = readResources(ctx, id);
  const change = leaveDevices(ctx, current, wanted);
  if (Object.keys(change).length === 0) return;
  if (cgroup === null) throw new TsruncError("update the container's resources: it has no cgroup");
  const { kernel, kernelTCP } = change.memory ?? {};
  if (kernel !== undefined || kernelTCP !== undefined)
    ctx.log.warn("kernel memory settings are ignored: the kernel accounts it with the rest");
  const writes = planWrites(cgroup.mode, completeChange(current, change));
  const updateUnit = planUnitChange(ctx, cgroup, current, change);
  saveResources(ctx, id, mergeResources(current, change), () =>
    rewriteResources(cgroup, writes, (rewrite) => {
      if (updateUnit === undefined) return;
      updateUnit();
      // systemd has written what it makes of the properties, such as whole percents of a CPU.
      rewrite();
    }),
  );
}

/**
 * The change without device rules: a container keeps those that it was made with, as with runc. Callers send them with
 * every update (Kubernetes' CPU manager), while others, such as GPU vendors' hooks, have given it further devices behind
 * the runtime's back, which rules that are set anew would take away.
 */
function leaveDevices(ctx: Context, current: Resources, { devices, ...change }: Resources): Resources {
  if (devices !== undefined && formatJson(devices) !== formatJson(current.devices ?? []))
    ctx.log.warn("devices are not updated: the container keeps the rules that it was created with");
  return change;
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
  const properties = planUnitProperties(mode, completeChange(current, change), facts);
  return () => setUnitProperties(ctx, unit, properties);
}
