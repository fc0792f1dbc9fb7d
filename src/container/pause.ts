// `pause` and `resume`: all processes of a container stop where they are, and go on.
import { isFrozen, setFreezer } from "../cgroup/freezer.ts";
import type { Context } from "../context.ts";
import { phrases, TsruncError } from "../errors.ts";
import { withContainerLock } from "./lock.ts";
import { computeStatus } from "./status.ts";
import { readRecord } from "./store.ts";

/**
 * Freezes a created or running container. `container not running` in any other status, also for one that is paused.
 * Throws TsruncError, and leaves the container running, when its processes cannot be frozen.
 */
export async function pauseContainer(ctx: Context, id: string): Promise<void> {
  await withContainerLock(ctx, id, () => {
    const record = readRecord(ctx, id);
    const status = computeStatus(ctx, record);
    if (status !== "created" && status !== "running") throw new TsruncError(phrases.notRunning);
    if (record.cgroup === null) throw new TsruncError("freeze the container: it has no cgroup");
    setFreezer(record.cgroup, true);
    // Frozen cgroups do not go away, so this one went before: with the container's end, or by another's hand.
    if (!isFrozen(record.cgroup)) throw new TsruncError(phrases.notRunning);
  });
}

/** Thaws a paused container. `container not paused` in any other status. Throws TsruncError. */
export async function resumeContainer(ctx: Context, id: string): Promise<void> {
  await withContainerLock(ctx, id, () => {
    const record = readRecord(ctx, id);
    if (record.cgroup === null || computeStatus(ctx, record) !== "paused")
      throw new TsruncError(phrases.notPaused);
    setFreezer(record.cgroup, false);
  });
}
