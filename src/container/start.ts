// `start`: makes the waiting init the container's process.
import { readFileSync } from "node:fs";
import { waitUntil } from "../cgroup/wait.ts";
import { INIT_NAME } from "../compile/init-name.ts";
import type { Context } from "../context.ts";
import { messageOf, phrases, TsruncError } from "../errors.ts";
import { isRunning, readProcessStat } from "../host/process-stat.ts";
import type { NotifyProxy } from "../host/sd-notify.ts";
import { sendStartBatch } from "../host/start-socket.ts";
import { errnoText } from "../linux/errno.ts";
import { withContainerLock } from "./lock.ts";
import { type ContainerRecord, containerPaths } from "./record.ts";
import { describeState } from "./state.ts";
import { computeStatus } from "./status.ts";
import { findRecord, readRecord, removeStateFile } from "./store.ts";

/**
 * Starts a created container. Throws TsruncError; a container whose process could not be started is stopped. For a
 * service manager it then waits until the container tells that it is ready, or has ended.
 */
export async function startContainer(ctx: Context, id: string): Promise<void> {
  let proxy: NotifyProxy | undefined;
  const record = await withContainerLock(ctx, id, async () => {
    const found = readRecord(ctx, id);
    checkStatus(ctx, found);
    proxy = await startCreated(ctx, found);
    return found;
  });
  await completeStart(ctx, record, proxy);
}

/**
 * What comes after {@link startCreated}, for a caller that does not stay with the container. Without the lock: it may take
 * for ever, and the container must be paused, killed and deleted meanwhile.
 */
export async function completeStart(
  ctx: Context,
  record: ContainerRecord,
  proxy: NotifyProxy | undefined,
): Promise<void> {
  try {
    await runPoststartHooks(ctx, record);
    if (proxy) (await import("./notify.ts")).waitUntilReady(ctx, record, proxy);
  } finally {
    proxy?.close();
  }
}

/**
 * Starts a created container, for a caller that holds its lock, and that runs the poststart hooks when it has given the
 * lock back. For a service manager it gives the proxy, which is the caller's to watch and to close.
 */
export async function startCreated(ctx: Context, record: ContainerRecord): Promise<NotifyProxy | undefined> {
  const notify = ctx.env.NOTIFY_SOCKET ? await import("./notify.ts") : undefined;
  const proxy = notify?.openProxy(ctx, record);
  try {
    await startLocked(ctx, record);
    return proxy;
  } catch (error) {
    proxy?.close();
    throw error;
  }
}

async function startLocked(ctx: Context, record: ContainerRecord): Promise<void> {
  if (record.hooks.startContainer.length > 0)
    await (await import("./start-hooks.ts")).runStartContainerHooks(ctx, record);
  const paths = containerPaths(ctx.root, record.id);
  const batch = readFileSync(paths.startBatch);
  const agent = record.seccompAgent && (await import("./seccomp-agent.ts"));
  const takeListener = agent?.findListenerTaker(ctx, record, () => record.pid);
  const outcome = sendStartBatch(ctx, paths.dir, batch, takeListener);
  if (outcome.kind === "absent") throw new TsruncError(phrases.startStopped);
  if (outcome.kind === "failed") {
    const steps = JSON.parse(readFileSync(paths.startSteps, "utf8")) as readonly (readonly [
      string,
      boolean,
    ])[];
    const [text, withErrno] = steps[outcome.index] ?? ["", true];
    throw new TsruncError(withErrno ? `${text}: ${errnoText(outcome.errno)}` : text);
  }
  if (hasDiedAsInit(record))
    throw new TsruncError(
      "the container's init process ended before it executed the program: by a signal, or by a seccomp filter that " +
        "forbids what init calls",
    );
  ctx.log.debug("the container's program runs");
  removeStateFile(paths.startBatch);
  removeStateFile(paths.startSteps);
}

/** Longest time from the end of init's connection to its new name or its end, in milliseconds. */
const FATE_MS = 1000;

/**
 * Init's death looks like its execve from outside, but for the name. Its descriptors are closed a moment before either
 * can be seen. What its parent has reaped can no longer be told.
 */
function hasDiedAsInit({ pid, startTime }: ContainerRecord): boolean {
  let hasDied = false;
  waitUntil(() => {
    const stat = readProcessStat(pid);
    if (stat?.startTime !== startTime || stat.name !== INIT_NAME) return true;
    hasDied = !isRunning(stat);
    return hasDied;
  }, FATE_MS);
  return hasDied;
}

function checkStatus(ctx: Context, record: ContainerRecord): void {
  const status = computeStatus(ctx, record);
  if (status === "created") return;
  if (status === "paused") throw new TsruncError(phrases.startPaused);
  if (status === "stopped") throw new TsruncError(phrases.startStopped);
  if (status === "running") throw new TsruncError(phrases.startRunning);
  throw new TsruncError(`cannot start a container in the ${status} state`);
}

/**
 * Runs poststart hooks, for a caller without the lock: a hook may use the runtime itself. One that fails stops the
 * container (runtime.md, "Lifecycle", step 9). Throws TsruncError.
 */
export async function runPoststartHooks(ctx: Context, record: ContainerRecord): Promise<void> {
  const hooks = record.hooks.poststart;
  if (hooks.length === 0) return;
  const { runHooks } = await import("../host/hooks.ts");
  try {
    const state = JSON.stringify(describeState(record, "running"));
    runHooks(ctx, "poststart", hooks, { state, cwd: record.bundle });
  } catch (error) {
    await stopUnlessGone(ctx, record);
    throw error;
  }
}

/** The hook may have deleted the container, and another may have its id. */
async function stopUnlessGone(ctx: Context, record: ContainerRecord): Promise<void> {
  const { isSame, stopContainer } = await import("./delete.ts");
  try {
    await withContainerLock(ctx, record.id, async () => {
      const now = findRecord(ctx, record.id);
      if (now !== undefined && isSame(now, record)) await stopContainer(ctx, now);
    });
  } catch (error) {
    if (messageOf(error) !== phrases.absent) ctx.log.warn(messageOf(error));
  }
}
