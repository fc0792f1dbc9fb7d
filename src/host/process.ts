// Waiting for processes that this process started.
import type { Libc } from "../../native-bindings/libc.ts";

const EINTR = 4;
const WALL = 0x40000000; // __WALL: children made with any exit signal

/** Waits for a child to end; gives its wait status, or undefined if it is not (or no longer) a child of ours. */
export function reapChild(libc: Libc, pid: number): number | undefined {
  const status = new Int32Array(1);
  for (;;) {
    const done = libc.waitpid(pid, new Uint8Array(status.buffer), WALL);
    if (done === pid) return status[0];
    if (done < 0 && libc.errno() === EINTR) continue;
    return undefined;
  }
}

/** Exit status in a shell's way: the status, or 128 + signal (wait(2)). */
export function exitStatus(waitStatus: number): number {
  const signal = waitStatus & 0x7f;
  return signal === 0 ? (waitStatus >> 8) & 0xff : 128 + signal;
}

/** How a child of ours ended, for an error message. */
export function describeEnd(libc: Libc, pid: number): string {
  const status = reapChild(libc, pid);
  if (status === undefined) return "it is gone";
  const signal = status & 0x7f;
  return signal === 0 ? `exit status ${(status >> 8) & 0xff}` : `killed by signal ${signal}`;
}
