// The caller's signals while `run` and `exec` work: held until there is a process for them, then passed on to it.
import type { Libc } from "../../native-bindings/libc.ts";
import { SIGNALS } from "../linux/signals.ts";
import type { Poller } from "./poller.ts";
import { catchRealTimeSignals, ignoreRealTimeSignals } from "./real-time-signals.ts";
import { sendSignal } from "./signal.ts";
import type { SignalSource } from "./terminal.ts";

/**
 * Signals that are not passed on: those that cannot be caught, those that mean this process alone (as in runc; TTIN and
 * TTOU stop a background job that needs its terminal, and a handler would have it try for ever), and those that the
 * JavaScript engine itself lives on (faults, and PWR to stop its threads).
 */
const NOT_FORWARDED = new Set(
  "KILL STOP CHLD PIPE URG TTIN TTOU ILL TRAP ABRT BUS FPE SEGV SYS PWR XFSZ STKFLT".split(" "),
);

/** To catch real-time signals takes some two hundred system calls, which a program that ends at once is spared. */
const REAL_TIME_MS = 50;

const ENDING = new Set(["HUP", "INT", "QUIT", "TERM"]);

export interface HeldSignals {
  /**
   * Passes the signals that have come, in their order, and all that come from now on, to the process of a pidfd. A process
   * that has ended gets none; other errors are given to `failed`.
   */
  forward(pidfd: number, poller: Poller, failed: (error: unknown) => void): void;
  /** Name of the first held signal that asks a program to end; undefined if there is none. */
  findEnding(): string | undefined;
  /** Gives the signals back their former effect. What was held and not forwarded is lost. */
  release(): void;
}

/**
 * Takes the signals that end or change a process for another one, which need not exist yet: what comes before
 * {@link HeldSignals.forward} is held, and ends this process at no half-done step. `terminal`: SIGWINCH is left alone, since
 * the pty tells its size itself. The engine calls back only between two turns of its loop. Real-time signals are not held
 * but ignored, until a moment after the process runs. Throws SyscallError.
 */
export function holdSignals(
  libc: Libc,
  signals: SignalSource,
  options: { readonly terminal: boolean },
): HeldSignals {
  const held: number[] = [];
  let take = (signal: number): void => void held.push(signal);
  const listeners = new Map<NodeJS.Signals, () => void>();
  for (const [i, name] of SIGNALS.entries()) {
    if (NOT_FORWARDED.has(name) || (options.terminal && name === "WINCH")) continue;
    listeners.set(`SIG${name}` as NodeJS.Signals, () => take(i + 1));
  }
  if (signals.takesRealTime) ignoreRealTimeSignals(libc);
  for (const [name, listener] of listeners) signals.on(name, listener);
  let releaseRealTime = (): void => {};
  let timer: ReturnType<typeof setTimeout> | undefined;
  return {
    forward: (pidfd, poller, failed) => {
      take = (signal) => {
        try {
          sendSignal(libc, pidfd, signal);
        } catch (error) {
          failed(error);
        }
      };
      for (const signal of held.splice(0)) take(signal);
      if (!signals.takesRealTime) return;
      const catchRealTime = (): void => {
        try {
          releaseRealTime = catchRealTimeSignals(libc, poller, take);
        } catch (error) {
          failed(error); // they stay ignored
        }
      };
      timer = setTimeout(catchRealTime, REAL_TIME_MS);
    },
    findEnding: () => held.map((signal) => SIGNALS[signal - 1] as string).find((name) => ENDING.has(name)),
    release: () => {
      clearTimeout(timer);
      releaseRealTime();
      for (const [name, listener] of listeners) signals.off(name, listener);
    },
  };
}

/**
 * Runs `action`, which no signal that asks this process to end interrupts: it has no effect. For what ends soon, and leaves
 * nobody whom the signal could be passed on to.
 */
export async function holdEnding<T>(signals: SignalSource, action: () => Promise<T>): Promise<T> {
  const ignore = (): void => {};
  const names = [...ENDING].map((name) => `SIG${name}` as NodeJS.Signals);
  for (const name of names) signals.on(name, ignore);
  try {
    return await action();
  } finally {
    for (const name of names) signals.off(name, ignore);
  }
}
