// `run`: create, start and, in the foreground, wait and delete.
import { loadLibc } from "../../native-bindings/libc.ts";
import type { Context } from "../context.ts";
import { messageOf, TsruncError } from "../errors.ts";
import { openConsolePair, receiveMaster } from "../host/console.ts";
import { closeFd } from "../host/fd.ts";
import { reapOrphans, setChildSubreaper, waitForExit } from "../host/foreground.ts";
import { holdEnding, holdSignals } from "../host/held-signals.ts";
import { openPoller } from "../host/poller.ts";
import { exitStatus } from "../host/process.ts";
import type { NotifyProxy } from "../host/sd-notify.ts";
import { openPidfd } from "../host/signal.ts";
import { type AttachedTerminal, attachTerminal, type SignalSource } from "../host/terminal.ts";
import { createContainer } from "./create.ts";
import { deleteContainer } from "./delete.ts";
import type { RunOptions } from "./options.ts";
import { prepareContainer } from "./prepare.ts";
import type { ContainerRecord } from "./record.ts";
import { completeStart, runPoststartHooks, startCreated } from "./start.ts";

/** Runs a container; gives its exit status, or 128 + the number of the signal that ended it (0 when detached). */
export async function runContainer(
  ctx: Context,
  options: RunOptions,
  signals: SignalSource,
): Promise<number> {
  return options.detach
    ? holdEnding(signals, () => runDetached(ctx, options))
    : runForeground(ctx, options, signals);
}

async function runDetached(ctx: Context, options: RunOptions): Promise<number> {
  let made: ContainerRecord | undefined;
  let proxy: NotifyProxy | undefined;
  try {
    const record = await createContainer(ctx, prepareContainer(ctx, options), {
      whileLocked: async (created) => {
        made = created;
        proxy = await startCreated(ctx, created);
      },
    });
    await completeStart(ctx, record, proxy);
    return 0;
  } catch (error) {
    if (made) await deleteAfterError(ctx, made);
    throw error;
  }
}

/**
 * Deletes the container that was made, and no later one with its id. The error that led here is what the caller must
 * know of: what cannot be deleted is a warning.
 */
async function deleteAfterError(ctx: Context, made: ContainerRecord): Promise<void> {
  try {
    await deleteContainer(ctx, made.id, { force: true, only: made });
  } catch (error) {
    ctx.log.warn(`clean up after a failed run: ${messageOf(error)}`);
  }
}

async function runForeground(ctx: Context, options: RunOptions, signals: SignalSource): Promise<number> {
  const libc = loadLibc(ctx.installDir);
  const prepared = prepareContainer(ctx, options);
  const wantsTerminal = prepared.config.process.terminal === true;
  if (options.consoleSocket !== undefined)
    throw new TsruncError("cannot use console socket if tsrunc will not detach or allocate tty");
  if (!options.noSubreaper) setChildSubreaper(libc);
  const pair = wantsTerminal ? openConsolePair(libc) : undefined;
  const poller = openPoller(libc, (error) => ctx.log.error(error.message));
  let terminal: AttachedTerminal | undefined;
  let pidfd: number | undefined;
  let ended: Promise<number> | undefined;
  // From here on a signal must not end this process: it would leave half a container.
  const held = holdSignals(libc, signals, { terminal: wantsTerminal });
  const undo = [held.release];
  const start = async (record: ContainerRecord): Promise<void> => {
    pidfd = openPidfd(libc, record.pid);
    if (pidfd === undefined) throw new TsruncError("the container's process ended before its start");
    if (pair) terminal = attachTerminal(ctx, receiveMaster(libc, pair.host), { poller, signals });
    undo.push(reapOrphans(libc, signals, record.pid));
    ended = waitForExit(libc, poller, record.pid, pidfd);
    const proxy = await startCreated(ctx, record);
    held.forward(pidfd, poller, (error) => ctx.log.warn(messageOf(error))); // not before: init itself would end of them
    if (proxy === undefined) return;
    undo.push(proxy.close);
    proxy.watch(poller, (error) => ctx.log.warn(messageOf(error)));
  };
  let made: ContainerRecord | undefined;
  try {
    try {
      const record = await createContainer(ctx, prepared, {
        console: pair?.init,
        whileLocked: (created) => {
          made = created;
          return start(created);
        },
      });
      await runPoststartHooks(ctx, record);
      if (ended === undefined) throw new Error("nothing waits for the container's end");
      const status = exitStatus(await ended);
      ctx.log.debug(`the container's program has ended with status ${status}`);
      await terminal?.done();
      if (!options.keep) await deleteContainer(ctx, options.id, { force: true, only: record });
      return status;
    } catch (error) {
      if (made) await deleteAfterError(ctx, made);
      throw error;
    }
  } finally {
    for (const step of undo) step();
    terminal?.close();
    poller.close();
    if (pidfd !== undefined) closeFd(libc, pidfd);
    if (pair) {
      closeFd(libc, pair.host);
      closeFd(libc, pair.init);
    }
  }
}
