// Signals to processes that are not children of this one, by pidfd: a number that was reused is never hit.
import type { Libc } from "../../native-bindings/libc.ts";
import { SyscallError } from "../errors.ts";
import { limitPoll } from "./poll-timeout.ts";
import { isProcessAlive } from "./process-stat.ts";

const ESRCH = 3;
const EINTR = 4;
const POLLIN = 1;

/**
 * Opens a pidfd of the process that started at `startTime` (see process-stat.ts); undefined if it has ended. The
 * start time is compared after the open: from then on the descriptor stands for that process alone.
 */
export function openProcess(libc: Libc, pid: number, startTime: string): number | undefined {
  const pidfd = openPidfd(libc, pid);
  if (pidfd === undefined || isProcessAlive(pid, startTime)) return pidfd;
  libc.close(pidfd);
  return undefined;
}

/** pidfd_open(2); undefined if there is no such process. The descriptor is close-on-exec. */
export function openPidfd(libc: Libc, pid: number): number | undefined {
  const pidfd = libc.pidfd_open(pid, 0);
  if (pidfd >= 0) return pidfd;
  const errno = libc.errno();
  if (errno === ESRCH) return undefined;
  throw new SyscallError("", `pidfd_open(${pid})`, errno);
}

/** pidfd_send_signal(2); false if the process has ended. */
export function sendSignal(libc: Libc, pidfd: number, signal: number): boolean {
  if (libc.pidfd_send_signal(pidfd, signal, null, 0) === 0) return true;
  const errno = libc.errno();
  if (errno === ESRCH) return false;
  throw new SyscallError("", `pidfd_send_signal(${signal})`, errno);
}

/** Waits until the process has ended (a zombie has); false when the time in milliseconds is over. */
export function waitForEnd(libc: Libc, pidfd: number, timeoutMs: number): boolean {
  const deadline = Date.now() + timeoutMs;
  const fds = new Int16Array(4); // struct pollfd: int fd, short events, short revents
  new Int32Array(fds.buffer)[0] = pidfd;
  fds[2] = POLLIN;
  for (;;) {
    const ready = libc.poll(new Uint8Array(fds.buffer), 1, limitPoll(deadline));
    if (ready > 0) return true;
    if (ready === 0 && Date.now() >= deadline) return false;
    if (ready === 0) continue;
    const errno = libc.errno();
    if (errno !== EINTR) throw new SyscallError("", "poll(pidfd)", errno);
  }
}
