// Waits for descriptors without blocking the event loop. The engine's pool has two threads and no way to give one
// back before its call ends, so all waiting is one poll(2) at a time, and a pipe wakes it up.
import type { Libc } from "../../native-bindings/libc.ts";
import { SyscallError } from "../errors.ts";
import { closeFd } from "./fd.ts";
import { openPipe, setNonBlocking } from "./pipe.ts";

export const POLLIN = 1;
export const POLLOUT = 4;
const FOREVER = -1;

export interface Poller {
  /** Calls back while the descriptor is ready for `events` (poll(2)), or has hung up, until stopped. */
  watch(fd: number, events: number, ready: (revents: number) => void): Watch;
  /** Ends all watches. The poller can no longer be used. */
  close(): void;
}

export interface Watch {
  /** Changes what is waited for; 0: nothing, not even the hang-up. */
  set(events: number): void;
  /** To be called before the descriptor is closed. */
  stop(): void;
}

interface Entry {
  readonly fd: number;
  readonly ready: (revents: number) => void;
  events: number;
}

/** Costs a pipe; a thread only while something is watched. `failed` gets the error of a poll that failed. */
export function openPoller(libc: Libc, failed: (error: Error) => void): Poller {
  const [wakeRead, wakeWrite] = openPipe(libc, "wait for descriptors");
  setNonBlocking(libc, wakeRead);
  setNonBlocking(libc, wakeWrite);
  const entries = new Set<Entry>();
  let isPolling = false;
  let isClosed = false;

  const change = (): void => {
    // A full pipe wakes as well as one more byte.
    if (isPolling) libc.write(wakeWrite, new Uint8Array(1), 1);
    else poll();
  };
  const poll = (): void => {
    const waiting = [...entries].filter((entry) => entry.events !== 0);
    if (waiting.length === 0) return;
    const fds = encodePollFds([
      { fd: wakeRead, events: POLLIN },
      ...waiting.map(({ fd, events }) => ({ fd, events })),
    ]);
    isPolling = true;
    libc.poll.async(fds, waiting.length + 1, FOREVER, (error, result) => {
      isPolling = false;
      if (isClosed) return closePipe();
      if (error) return failed(error);
      // errno is the other thread's: the same call without waiting tells whether it was a signal or is a fault.
      if (result < 0 && libc.poll(fds, waiting.length + 1, 0) < 0)
        return failed(new SyscallError("wait for descriptors", "poll()", libc.errno()));
      const found = decodePollFds(fds);
      if (found[0] !== 0) drain();
      for (const [i, entry] of waiting.entries()) {
        const revents = found[i + 1] as number;
        // A callback may have stopped a later one.
        if (revents !== 0 && entries.has(entry) && entry.events !== 0) entry.ready(revents);
      }
      if (!isPolling && !isClosed) poll();
    });
  };
  const drain = (): void => {
    const bytes = new Uint8Array(256);
    while (libc.read(wakeRead, bytes, bytes.length) === bytes.length);
  };
  const closePipe = (): void => {
    closeFd(libc, wakeRead);
    closeFd(libc, wakeWrite);
  };

  return {
    watch: (fd, events, ready) => {
      const entry: Entry = { fd, events, ready };
      entries.add(entry);
      change();
      return {
        set: (next) => {
          if (entry.events === next) return;
          entry.events = next;
          change();
        },
        stop: () => {
          if (entries.delete(entry)) change();
        },
      };
    },
    close: () => {
      if (isClosed) return;
      isClosed = true;
      entries.clear();
      if (isPolling) change();
      else closePipe();
    },
  };
}

/** An array of struct pollfd. A negative descriptor is skipped by poll(2). */
export function encodePollFds(
  entries: readonly { readonly fd: number; readonly events: number }[],
): Uint8Array {
  const view = new DataView(new ArrayBuffer(8 * entries.length));
  for (const [i, { fd, events }] of entries.entries()) {
    view.setInt32(8 * i, fd, true);
    view.setInt16(8 * i + 4, events, true);
  }
  return new Uint8Array(view.buffer);
}

/** The revents of each entry. */
export function decodePollFds(bytes: Uint8Array): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return Array.from({ length: bytes.length / 8 }, (_, i) => view.getInt16(8 * i + 6, true));
}
