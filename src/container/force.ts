// `delete --force` of a container that another command is working on: one that hangs in a hook or in a seccomp agent, which
// may be the image's own program, shall not keep the container alive.
import { loadLibc } from "../../native-bindings/libc.ts";
import { thawForDeath } from "../cgroup/thaw.ts";
import type { Context } from "../context.ts";
import { signalTree } from "../host/kill-tree.ts";
import { openProcess, sendSignal } from "../host/signal.ts";
import { SIGKILL } from "../linux/signals.ts";
import type { LockHolder, LockWait } from "./lock.ts";
import { type ContainerRecord, ownCgroup } from "./record.ts";

/** How long the other command may go on, in milliseconds, before the container's process is killed. */
const CONTAINER_MS = 500;
/** How long it has then to come to an end, before it is killed too, with its hook. */
const HOLDER_MS = 10_000;
const WAIT_MS = 15_000;

/**
 * How `delete --force` waits for the lock: without its first process the other command fails, and undoes what it has
 * done. `findRecord` reads the container's record, undefined if there is none.
 */
export function forceLock(ctx: Context, findRecord: () => ContainerRecord | undefined): LockWait {
  let isEnded = false;
  let isHolderKilled = false;
  const whileHeld = (holder: LockHolder, waitedMs: number): void => {
    if (!isEnded && waitedMs >= CONTAINER_MS) {
      const record = findRecord();
      isEnded = record !== undefined && record.pid !== 0; // else it may come yet
      if (record) killFirstProcess(ctx, record);
    }
    if (!isHolderKilled && waitedMs >= HOLDER_MS && !holder.isForeign) {
      isHolderKilled = true;
      ctx.log.warn(
        `process ${holder.pid}, which still works on the container, is killed with what it has started`,
      );
      signalTree(loadLibc(ctx.installDir), holder, SIGKILL); // a hook would outlive it
    }
  };
  return { waitMs: WAIT_MS, whileHeld };
}

function killFirstProcess(ctx: Context, record: ContainerRecord): void {
  if (!killProcess(ctx, record)) return;
  const cgroup = ownCgroup(record);
  if (cgroup !== null) thawForDeath(cgroup);
}

/** False if it has ended. */
function killProcess(ctx: Context, { pid, startTime }: Pick<LockHolder, "pid" | "startTime">): boolean {
  const libc = loadLibc(ctx.installDir);
  const pidfd = pid === 0 ? undefined : openProcess(libc, pid, startTime);
  if (pidfd === undefined) return false;
  try {
    return sendSignal(libc, pidfd, SIGKILL);
  } finally {
    libc.close(pidfd);
  }
}
