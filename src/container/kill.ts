// Sends signals to a container's first process, or to all of its processes.
import { loadLibc } from "../../native-bindings/libc.ts";
import { awaitDeath, killCgroup, readCgroupPids } from "../cgroup/control.ts";
import { thawForDeath } from "../cgroup/thaw.ts";
import type { Context } from "../context.ts";
import { phrases, TsruncError } from "../errors.ts";
import { openProcess, sendSignal, waitForEnd } from "../host/signal.ts";
import { parseSignal, SIGKILL, SIGTERM } from "../linux/signals.ts";
import { STOP_SIGNAL } from "../spec/annotations.ts";
import { type ContainerRecord, ownCgroup } from "./record.ts";
import { hasLiveProcess } from "./status.ts";
import { readRecord } from "./store.ts";

/** How long `kill KILL` sees to the end of a container that had frozen processes, in milliseconds. */
const FROZEN_MS = 2_000;

export interface KillOptions {
  /** Undefined: the one that the container's image wants to be stopped by, or SIGTERM. */
  readonly signal: number | undefined;
  /** To every process of the container; then it is no error that its first process has ended. */
  readonly all: boolean;
}

/**
 * Sends a signal. SIGKILL also thaws a paused container, and without an own pid namespace it goes to every process
 * of the container, which would outlive the first one. `container not running` for one that has stopped.
 */
export async function killContainer(ctx: Context, id: string, options: KillOptions): Promise<void> {
  const record = readRecord(ctx, id);
  const signal = options.signal ?? findStopSignal(ctx, record);
  if (options.all || (signal === SIGKILL && !record.hasOwnPidNamespace)) {
    const reached = await signalAll(ctx, record, signal);
    if (!reached && !options.all) throw new TsruncError(phrases.notRunning);
    return;
  }
  signalFirst(ctx, record, signal);
}

/** Whoever wrote the annotation is not there to be told of a mistake: a container must be stopped all the same. */
function findStopSignal(ctx: Context, { annotations }: ContainerRecord): number {
  const name = annotations[STOP_SIGNAL];
  const signal = name === undefined ? SIGTERM : parseSignal(name);
  if (signal === undefined)
    ctx.log.warn(`${STOP_SIGNAL}: unknown signal ${JSON.stringify(name)}, SIGTERM is sent`);
  return signal ?? SIGTERM;
}

function signalFirst(ctx: Context, record: ContainerRecord, signal: number): void {
  const libc = loadLibc(ctx.installDir);
  const pidfd = record.pid === 0 ? undefined : openProcess(libc, record.pid, record.startTime);
  if (pidfd === undefined) throw new TsruncError(phrases.notRunning);
  try {
    if (!sendSignal(libc, pidfd, signal)) throw new TsruncError(phrases.notRunning);
    const cgroup = signal === SIGKILL ? ownCgroup(record) : null;
    if (cgroup !== null && thawForDeath(cgroup))
      awaitDeath(cgroup, (ms) => waitForEnd(libc, pidfd, ms), FROZEN_MS);
  } finally {
    libc.close(pidfd);
  }
}

/**
 * Whether there was anything to signal. The kernel ends a pid namespace with its first process, but a cgroup may hold
 * processes of other namespaces: so all of the cgroup get the signal in any case.
 */
async function signalAll(ctx: Context, record: ContainerRecord, signal: number): Promise<boolean> {
  const cgroup = ownCgroup(record);
  if (cgroup === null) {
    // An ordinary user's: what /proc tells. What few containers need is not loaded for the others.
    const { signalTree } = await import("../host/hooks.ts");
    return record.pid !== 0 && signalTree(loadLibc(ctx.installDir), record, signal);
  }
  const pids = readCgroupPids(cgroup);
  killCgroup(cgroup, signal);
  // A container that sees the host's cgroups may have moved its first process out of its own.
  const missesFirst = !pids.includes(record.pid) && hasLiveProcess(record);
  if (missesFirst) signalFirst(ctx, record, signal);
  return pids.length > 0 || missesFirst;
}
