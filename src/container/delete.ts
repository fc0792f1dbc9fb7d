// Removes a container: its processes, its cgroup, its state; then its poststop hooks run.
import { loadLibc } from "../../native-bindings/libc.ts";
import { awaitDeath, killCgroup, readCgroupPids, removeCgroup } from "../cgroup/control.ts";
import { removeUnusedCgroup } from "../cgroup/remove.ts";
import type { CgroupRecord } from "../cgroup/types.ts";
import type { Context } from "../context.ts";
import { messageOf, phrases, TsruncError } from "../errors.ts";
import { openProcess, sendSignal, waitForEnd } from "../host/signal.ts";
import { SIGKILL } from "../linux/signals.ts";
import { forceLock } from "./force.ts";
import { lockDirectory } from "./full-lock.ts";
import { withContainerLock } from "./lock.ts";
import { type ContainerRecord, ownCgroup } from "./record.ts";
import { describeState } from "./state.ts";
import { computeStatus, hasLiveProcess } from "./status.ts";
import { findRecord, hasContainerDir, removeContainerDir } from "./store.ts";

/** How long a killed process may take to end, in milliseconds. */
const END_MS = 10_000;

export interface DeleteOptions {
  readonly force: boolean;
  /** Delete only this container, and no later one that has got its id; then no command is interfered with. */
  readonly only?: Pick<ContainerRecord, "pid" | "startTime">;
}

/**
 * Deletes a container that is stopped, or created (its process is killed); with `force` in any status, also what a
 * killed command has left, and what another command works on. With `force` it is no error that there is no container.
 */
export async function deleteContainer(ctx: Context, id: string, options: DeleteOptions): Promise<void> {
  if (!hasContainerDir(ctx, id)) {
    if (options.force) return;
    throw new TsruncError(phrases.absent);
  }
  let deleted: ContainerRecord | undefined;
  try {
    const wait =
      options.force && options.only === undefined ? forceLock(ctx, () => findReadableRecord(ctx, id)) : {};
    deleted = await withContainerLock(ctx, id, () => deleteLocked(ctx, id, options), {
      ...wait,
      whereFull: (dir) => lockDirectory(ctx, dir),
    });
  } catch (error) {
    // Another command has deleted it meanwhile, or is removing the directory, and with it this command's bid for the
    // lock: what was asked for holds.
    const isGone = messageOf(error) === phrases.absent || !hasContainerDir(ctx, id);
    if (options.force && isGone) return;
    throw error;
  }
  if (deleted !== undefined) await runPoststop(ctx, deleted);
}

async function deleteLocked(
  ctx: Context,
  id: string,
  { force, only }: DeleteOptions,
): Promise<ContainerRecord | undefined> {
  const record = force ? findReadableRecord(ctx, id) : findRecord(ctx, id);
  if (only !== undefined && (record === undefined || !isSame(record, only))) return undefined;
  if (record === undefined) {
    if (!force) throw new TsruncError(phrases.absent);
    removeContainerDir(ctx, id);
    return undefined;
  }
  const status = computeStatus(ctx, record);
  if (status !== "stopped" && status !== "created" && !force) {
    throw new TsruncError(phrases.deleteAlive(id, status));
  }
  await destroyContainer(ctx, record);
  return record;
}

/** Whether a record is that of the same container, and not of a later one with its id. */
export function isSame(
  record: Pick<ContainerRecord, "pid" | "startTime">,
  other: Pick<ContainerRecord, "pid" | "startTime">,
): boolean {
  return record.pid === other.pid && record.startTime === other.startTime;
}

/** A record that cannot be read shall not keep its directory in the world for ever. */
function findReadableRecord(ctx: Context, id: string): ContainerRecord | undefined {
  try {
    return findRecord(ctx, id);
  } catch (error) {
    ctx.log.warn(`delete container ${id} without its record: ${messageOf(error)}`);
    return undefined;
  }
}

/**
 * Kills every process of a container and removes its cgroup and its directory, whatever of them there is. No hook
 * runs. The caller holds the container's lock. Throws when a process does not end, and keeps the state then.
 */
export async function destroyContainer(ctx: Context, record: ContainerRecord): Promise<void> {
  await endFirstProcess(ctx, record);
  if (record.cgroup !== null && !record.ownsCgroup) {
    removeUnusedCgroup(record.cgroup);
  } else if (record.cgroup !== null) {
    // With the first process of a pid namespace the kernel has ended all others; some may have joined from outside.
    const mayHaveMore = !record.hasOwnPidNamespace || record.phase === "creating";
    if (mayHaveMore || readCgroupPids(record.cgroup).length > 0) killCgroup(record.cgroup);
    await closeCgroup(ctx, record.cgroup);
  }
  // What few containers have is not loaded for the others.
  if (record.resctrl) (await import("../host/resctrl.ts")).removeResctrl(record.resctrl);
  ctx.log.debug("the cgroup is removed");
  if (record.keptMounts)
    (await import("../host/release-mounts.ts")).releaseMounts(ctx, record.rootfs, record.keptMounts);
  removeContainerDir(ctx, record.id);
  ctx.log.debug("the state directory is removed");
}

async function closeCgroup(ctx: Context, record: CgroupRecord): Promise<void> {
  if (record.unit) (await import("./cgroup.ts")).closeCgroup(ctx, record);
  else removeCgroup(record);
}

/** Kills every process of a container; it is `stopped` then. Throws when its first process does not end. */
export async function stopContainer(ctx: Context, record: ContainerRecord): Promise<void> {
  await endFirstProcess(ctx, record);
  const cgroup = ownCgroup(record);
  if (cgroup !== null) killCgroup(cgroup);
}

async function endFirstProcess(ctx: Context, record: ContainerRecord): Promise<void> {
  if (!hasLiveProcess(record)) return;
  const libc = loadLibc(ctx.installDir);
  const pidfd = openProcess(libc, record.pid, record.startTime);
  if (pidfd === undefined) return;
  try {
    const cgroup = ownCgroup(record);
    // Nothing else ends the others then, and once their parent has ended nobody finds them.
    if (cgroup === null && !record.hasOwnPidNamespace)
      (await import("../host/hooks.ts")).signalTree(libc, record, SIGKILL);
    else if (!sendSignal(libc, pidfd, SIGKILL)) return;
    const wait = (ms: number): boolean => waitForEnd(libc, pidfd, ms);
    if (cgroup === null ? wait(END_MS) : awaitDeath(cgroup, wait, END_MS)) return;
    throw new TsruncError(`container ${record.id}: process ${record.pid} does not end after SIGKILL`);
  } finally {
    libc.close(pidfd);
  }
}

/** Poststop hooks see a container that is gone; their failure is only a warning ("Poststop" in config.md). */
export async function runPoststop(ctx: Context, record: ContainerRecord): Promise<void> {
  const { poststop } = record.hooks;
  if (poststop.length === 0) return;
  const { runHooks } = await import("../host/hooks.ts");
  try {
    const state = JSON.stringify(describeState(record, "stopped"));
    runHooks(ctx, "poststop", poststop, { state, cwd: record.bundle });
  } catch (error) {
    ctx.log.warn(messageOf(error));
  }
}
