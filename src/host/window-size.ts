// Looks at the terminal, if it is one, that a descriptor leads to; and whether anybody reads it.
import type { Libc } from "../../native-bindings/libc.ts";
import { TIOCGWINSZ, WINSIZE_SIZE } from "../linux/termios.ts";
import { decodePollFds, encodePollFds } from "./poller.ts";

const POLLPRI = 2;
const POLLERR = 8;
const POLLHUP = 16;
const POLLNVAL = 32;

export interface WindowSize {
  readonly rows: number;
  readonly columns: number;
}

/** Undefined for what is not a terminal; 0 is a size that nobody has told (ioctl_tty(2), struct winsize). */
export function readWindowSize(libc: Libc, fd: number): WindowSize | undefined {
  const size = new Uint8Array(WINSIZE_SIZE);
  if (libc.ioctl(fd, TIOCGWINSZ, size) !== 0) return undefined;
  const view = new DataView(size.buffer);
  return { rows: view.getUint16(0, true), columns: view.getUint16(2, true) };
}

/** False if the other end of a pipe, socket or terminal is gone, or the descriptor is closed. Does not wait. */
export function hasReader(libc: Libc, fd: number): boolean {
  const fds = encodePollFds([{ fd, events: POLLPRI }]);
  if (libc.poll(fds, 1, 0) <= 0) return true;
  return ((decodePollFds(fds)[0] ?? 0) & (POLLERR | POLLHUP | POLLNVAL)) === 0;
}
