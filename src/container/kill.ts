// Sends signals to a container's first process, or to all of its processes.
import { loadLibc } from "../../native-bindings/libc.ts";
import { killCgroup, readCgroupPids, setFreezer } from "../cgroup/control.ts";
import type { Context } from "../context.ts";
import { phrases, TsruncError } from "../errors.ts";
import { openProcess, sendSignal } from "../host/signal.ts";
import { SIGKILL } from "../linux/signals.ts";
import type { ContainerRecord } from "./record.ts";
import { computeStatus, hasLiveProcess } from "./status.ts";
import { readRecord } from "./store.ts";

export interface KillOptions {
  readonly signal: number;
  /** To every process of the container; then it is no error that its first process has ended. */
  readonly all: boolean;
}

/**
 * Sends a signal. SIGKILL also thaws a paused container, and without an own pid namespace it goes to every process
 * of the container, which would outlive the first one. `container not running` for one that has stopped.
 */
export function killContainer(ctx: Context, id: string, options: KillOptions): void {
  const record = readRecord(ctx, id);
  if (options.all || (options.signal === SIGKILL && !record.hasOwnPidNamespace)) {
    const reached = signalAll(ctx, record, options.signal);
    if (!reached && !options.all) throw new TsruncError(phrases.notRunning);
    return;
  }
  signalFirst(ctx, record, options.signal);
}

function signalFirst(ctx: Context, record: ContainerRecord, signal: number): void {
  const wasPaused = signal === SIGKILL && computeStatus(ctx, record) === "paused";
  const libc = loadLibc(ctx.installDir);
  const pidfd = record.pid === 0 ? undefined : openProcess(libc, record.pid, record.startTime);
  if (pidfd === undefined) throw new TsruncError(phrases.notRunning);
  try {
    if (!sendSignal(libc, pidfd, signal)) throw new TsruncError(phrases.notRunning);
  } finally {
    libc.close(pidfd);
  }
  // A process of a frozen v1 cgroup does not even die.
  if (wasPaused && record.cgroup !== null) setFreezer(record.cgroup, false);
}

/**
 * Whether there was anything to signal. The kernel ends a pid namespace with its first process, but a cgroup may hold
 * processes of other namespaces: so all of the cgroup get the signal in any case.
 */
function signalAll(ctx: Context, record: ContainerRecord, signal: number): boolean {
  const { cgroup } = record;
  const pids = cgroup === null ? [] : readCgroupPids(cgroup);
  if (cgroup !== null) killCgroup(cgroup, signal);
  // A container that sees the host's cgroups may have moved its first process out of its own.
  const missesFirst = !pids.includes(record.pid) && hasLiveProcess(record);
  if (missesFirst) signalFirst(ctx, record, signal);
  return pids.length > 0 || missesFirst;
}
