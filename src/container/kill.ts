// Sends signals to a container's first process, or to all of its processes.
import { type Libc, loadLibc } from "../../native-bindings/libc.ts";
import { killCgroup, readCgroupPids, setFreezer } from "../cgroup/control.ts";
import type { Context } from "../context.ts";
import { phrases, TsruncError } from "../errors.ts";
import { openPidfd, openProcess, sendSignal } from "../host/signal.ts";
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
  const kernelKillsAll = options.signal === SIGKILL && record.hasOwnPidNamespace && hasLiveProcess(record);
  const wantsAll = options.all || (options.signal === SIGKILL && !record.hasOwnPidNamespace);
  if (wantsAll && !kernelKillsAll) {
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

/** Whether there was anything to signal. */
function signalAll(ctx: Context, record: ContainerRecord, signal: number): boolean {
  const { cgroup } = record;
  if (cgroup === null) {
    if (!hasLiveProcess(record)) return false;
    signalFirst(ctx, record, signal);
    return true;
  }
  if (signal === SIGKILL) {
    const found = readCgroupPids(cgroup).length > 0;
    killCgroup(cgroup);
    return found;
  }
  return signalMembers(loadLibc(ctx.installDir), () => readCgroupPids(cgroup), signal);
}

/**
 * Signals every process that `readPids` names. The pids are read once more when the pidfds are open: a pid that is
 * still a member then is the process that its pidfd stands for.
 */
function signalMembers(libc: Libc, readPids: () => readonly number[], signal: number): boolean {
  const opened = new Map<number, number>();
  try {
    for (const pid of readPids()) {
      const pidfd = openPidfd(libc, pid);
      if (pidfd !== undefined) opened.set(pid, pidfd);
    }
    const members = new Set(readPids());
    let reached = false;
    for (const [pid, pidfd] of opened) {
      if (members.has(pid) && sendSignal(libc, pidfd, signal)) reached = true;
    }
    return reached;
  } finally {
    for (const pidfd of opened.values()) libc.close(pidfd);
  }
}
