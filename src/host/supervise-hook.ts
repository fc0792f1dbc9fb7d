// Watches over one hook: sends its batch, feeds its stdin, drains its output, ends it when its time is over.
import { TsruncError } from "../errors.ts";
import { describeSignal } from "../linux/signal-text.ts";
import { stepError } from "../plan/print.ts";
import { decodeReportHeader, REPORT_SIZE } from "../plan/report.ts";
import type { InitStep } from "../plan/step.ts";
import type { Batch } from "../plan/wire.ts";
import { sendAll } from "./init-socket.ts";
import { killTree } from "./kill-tree.ts";
import { readSome, setNonBlocking, writeSome } from "./pipe.ts";
import { limitPoll } from "./poll-timeout.ts";
import { decodePollFds, encodePollFds, POLLIN, POLLOUT } from "./poller.ts";
import { reapChild } from "./process.ts";
import { encodeSteps, type Session } from "./session.ts";
import { openPidfd } from "./signal.ts";
import type { StandIn } from "./stand-in.ts";

const MSG_DONTWAIT = 0x40;
const EINTR = 4;
const EAGAIN = 11;
/** What is kept of each output, in bytes: its end, where the reason of a failure stands. */
const KEPT = 16 * 1024;
/** The most that a pipe holds: what is read after the hook's end, even if a daemon goes on writing. */
const PIPE_CAPACITY = 1 << 20;

export interface HookStreams {
  /** Write end of its stdin, and what goes there. */
  readonly input: number;
  readonly state: Uint8Array;
  /** Read ends of its output; -1: it goes elsewhere. */
  readonly stdout: number;
  readonly stderr: number;
  /** Milliseconds; undefined: it may take as long as it wants. */
  readonly timeoutMs: number | undefined;
  /** Gets the signals of the caller's terminal for it. */
  readonly standIn: StandIn | undefined;
  /** Closes descriptors. */
  readonly release: (...fds: readonly number[]) => void;
}

export interface HookEnd {
  readonly waitStatus: number;
  readonly stdout: string;
  readonly stderr: string;
  /** The time that it was given, in milliseconds, if it was killed for it. */
  readonly ranPast: number | undefined;
}

interface Output {
  fd: number;
  kept: Uint8Array;
  isCut: boolean;
}

interface Watched {
  readonly session: Session;
  readonly steps: readonly InitStep[];
  readonly batch: Batch;
  readonly streams: HookStreams;
  readonly outputs: readonly [Output, Output];
  readonly buffer: Uint8Array;
  /** What of the state is not yet written; undefined: stdin is closed. */
  state: Uint8Array | undefined;
  /** Whether init may still report. */
  isInit: boolean;
  pid: number;
  pidfd: number;
  failure: TsruncError | undefined;
}

/**
 * Runs the steps, the last of which executes the hook, and waits for its end. Whatever happens, the hook's process
 * and init are gone and reaped afterwards. Throws the error of a step that failed.
 */
export function superviseHook(session: Session, steps: readonly InitStep[], streams: HookStreams): HookEnd {
  const { libc, launcherPid } = session.init;
  const deadline = streams.timeoutMs === undefined ? undefined : Date.now() + streams.timeoutMs;
  const hook: Watched = {
    session,
    steps,
    batch: encodeSteps(session, steps, 0),
    streams,
    outputs: [makeOutput(streams.stdout), makeOutput(streams.stderr)],
    buffer: new Uint8Array(64 * 1024),
    state: streams.state,
    isInit: true,
    pid: launcherPid,
    pidfd: -1,
    failure: undefined,
  };
  let isReaped = false;
  try {
    hook.pidfd = openChild(session, launcherPid);
    for (const fd of [streams.input, streams.stdout, streams.stderr]) if (fd >= 0) setNonBlocking(libc, fd);
    sendAll(session, hook.batch.bytes);
    const isOver = !waitForHook(hook, deadline);
    if (isOver) killTree(libc, hook.pid);
    const waitStatus = reapChild(libc, hook.pid) ?? 0;
    isReaped = true;
    if (hook.failure) throw hook.failure;
    for (const output of hook.outputs) drain(hook, output, PIPE_CAPACITY);
    const [stdout, stderr] = hook.outputs.map(printOutput) as [string, string];
    return { waitStatus, stdout, stderr, ranPast: isOver ? streams.timeoutMs : undefined };
  } finally {
    if (hook.pidfd >= 0) libc.close(hook.pidfd);
    if (!isReaped) {
      killTree(libc, hook.pid);
      reapChild(libc, hook.pid);
    }
  }
}

/** What is wrong with how it ended, in Go's words; undefined if nothing is. */
export function describeHookEnd(end: HookEnd): string | undefined {
  if (end.ranPast !== undefined)
    return `hook ran past specified timeout of ${(end.ranPast / 1000).toFixed(1)}s`;
  if (end.waitStatus === 0) return undefined;
  return `${describeWaitStatus(end.waitStatus)}, stdout: ${end.stdout}, stderr: ${end.stderr}`;
}

function describeWaitStatus(status: number): string {
  const signal = status & 0x7f;
  if (signal === 0) return `exit status ${(status >> 8) & 0xff}`;
  return `signal: ${describeSignal(signal)}${(status & 0x80) === 0 ? "" : " (core dumped)"}`;
}

function openChild(session: Session, pid: number): number {
  // A child that has ended but is not reaped can still be opened.
  const pidfd = openPidfd(session.init.libc, pid);
  if (pidfd === undefined) throw new TsruncError("init is gone");
  return pidfd;
}

/** Waits until the hook's process has ended; false when the deadline has passed before. */
function waitForHook(hook: Watched, deadline: number | undefined): boolean {
  const { libc, socket } = hook.session.init;
  for (;;) {
    const fds = encodePollFds([
      { fd: hook.isInit ? socket : -1, events: POLLIN },
      { fd: hook.pidfd, events: POLLIN },
      { fd: hook.state ? hook.streams.input : -1, events: POLLOUT },
      ...hook.outputs.map(({ fd }) => ({ fd, events: POLLIN })),
      { fd: hook.streams.standIn?.fd() ?? -1, events: POLLIN },
    ]);
    const count = libc.poll(fds, 6, limitPoll(deadline));
    if (count === 0 && deadline !== undefined && Date.now() >= deadline) return false;
    if (count < 0) {
      if (libc.errno() === EINTR) continue;
      throw new TsruncError(`poll(): errno ${libc.errno()}`);
    }
    const [report = 0, ended = 0, writable = 0, out = 0, error = 0, signalled = 0] = decodePollFds(fds);
    const watched = hook.pid;
    // init may have ended right after its report that it has forked: the report comes first.
    if (report !== 0 || (ended !== 0 && hook.isInit)) takeReports(hook);
    if (writable !== 0) feed(hook);
    if (out !== 0) drain(hook, hook.outputs[0], hook.buffer.length);
    if (error !== 0) drain(hook, hook.outputs[1], hook.buffer.length);
    if (signalled !== 0) passSignal(hook);
    if (ended !== 0 && hook.pid === watched) return true;
  }
}

/** To the hook's process group, as the terminal does it; init is in none of its own before its first step. */
function passSignal({ session, streams, pid }: Watched): void {
  const signal = streams.standIn?.take() ?? 0;
  if (signal === 0) return;
  const { libc } = session.init;
  if (libc.kill(-pid, signal) < 0) libc.kill(pid, signal);
}

function takeReports(hook: Watched): void {
  const { libc, socket } = hook.session.init;
  const bytes = new Uint8Array(REPORT_SIZE);
  while (hook.isInit) {
    const got = libc.recv(socket, bytes, REPORT_SIZE, MSG_DONTWAIT);
    if (got < 0 && libc.errno() === EINTR) continue;
    if (got < 0 && libc.errno() === EAGAIN) return;
    if (got !== REPORT_SIZE) {
      hook.isInit = false; // end of file: execve has closed init's end
      return;
    }
    const { type, index, value } = decodeReportHeader(bytes);
    if (type === "forked") {
      reapChild(libc, hook.pid);
      libc.close(hook.pidfd);
      hook.pidfd = -1;
      hook.pid = value;
      hook.pidfd = openChild(hook.session, value);
    } else {
      const step = hook.steps[hook.batch.planIndex[index] as number] as InitStep;
      hook.failure = stepError(step, value);
      hook.isInit = false;
      hook.streams.release(socket); // init ends
    }
  }
}

function feed(hook: Watched): void {
  const { libc } = hook.session.init;
  const rest = hook.state;
  if (!rest) return;
  const count = writeSome(libc, hook.streams.input, rest);
  // A hook need not read its state.
  hook.state = count === "gone" || count === rest.length ? undefined : rest.subarray(count);
  if (!hook.state) hook.streams.release(hook.streams.input);
}

function makeOutput(fd: number): Output {
  return { fd, kept: new Uint8Array(0), isCut: false };
}

/** Reads what is there, at most about `most` bytes, and keeps its end. */
function drain(hook: Watched, output: Output, most: number): void {
  for (let total = 0; output.fd >= 0 && total < most; ) {
    const data = readSome(hook.session.init.libc, output.fd, hook.buffer);
    if (data === "again") return;
    if (data === "end") {
      hook.streams.release(output.fd);
      output.fd = -1;
      return;
    }
    total += data.length;
    const all = new Uint8Array(output.kept.length + data.length);
    all.set(output.kept);
    all.set(data, output.kept.length);
    output.isCut ||= all.length > KEPT;
    output.kept = all.slice(-KEPT);
  }
}

function printOutput({ kept, isCut }: Output): string {
  return `${isCut ? "..." : ""}${new TextDecoder().decode(kept)}`;
}
