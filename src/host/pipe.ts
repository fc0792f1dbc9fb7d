// Pipes of this process, and reading and writing without waiting.
import type { Libc } from "../../native-bindings/libc.ts";
import { SyscallError } from "../errors.ts";

const O_NONBLOCK = 0o4000;
const O_CLOEXEC = 0o2000000;
const F_GETFL = 3;
const F_SETFL = 4;
const EINTR = 4;
const EAGAIN = 11;

/** A pipe, close-on-exec at both ends. Throws SyscallError. */
export function openPipe(libc: Libc, intent: string): readonly [read: number, write: number] {
  const fds = new Int32Array(2);
  if (libc.pipe2(new Uint8Array(fds.buffer), O_CLOEXEC) < 0)
    throw new SyscallError(intent, "pipe2(O_CLOEXEC)", libc.errno());
  return [fds[0] as number, fds[1] as number];
}

/** Only for descriptions that nobody else uses: the flag belongs to the open file, not to the descriptor. */
export function setNonBlocking(libc: Libc, fd: number): void {
  const flags = libc.fcntl(fd, F_GETFL, 0);
  if (flags < 0 || libc.fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
    throw new SyscallError("", `fcntl(${fd}, F_SETFL, O_NONBLOCK)`, libc.errno());
}

/** What there is to read; `again`: nothing now; `end`: end of file, or an error such as EIO of a closed pty. */
export function readSome(libc: Libc, fd: number, buffer: Uint8Array): Uint8Array | "again" | "end" {
  for (;;) {
    const count = libc.read(fd, buffer, buffer.length);
    if (count > 0) return buffer.subarray(0, count);
    if (count === 0) return "end";
    const errno = libc.errno();
    if (errno === EINTR) continue;
    return errno === EAGAIN ? "again" : "end";
  }
}

/** Number of bytes written, 0 if none can be now; `gone` if the other end is closed. */
export function writeSome(libc: Libc, fd: number, bytes: Uint8Array): number | "gone" {
  for (;;) {
    const count = libc.write(fd, bytes, bytes.length);
    if (count >= 0) return count;
    const errno = libc.errno();
    if (errno === EINTR) continue;
    return errno === EAGAIN ? 0 : "gone";
  }
}
