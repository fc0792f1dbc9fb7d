// Small operations on descriptors of this process.
import type { Libc } from "../../native-bindings/libc.ts";

/** Closes a descriptor. A failed close leaves the descriptor closed all the same (close(2)). */
export function closeFd(libc: Libc, fd: number): void {
  libc.close(fd);
}

const SOL_SOCKET = 1;
const SO_RCVTIMEO = 20;

/** Makes reads of a socket fail with EAGAIN after a time in milliseconds. */
export function setReceiveTimeout(libc: Libc, fd: number, timeoutMs: number): void {
  const timeval = new BigInt64Array([
    BigInt(Math.floor(timeoutMs / 1000)),
    BigInt((timeoutMs % 1000) * 1000),
  ]);
  libc.setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, new Uint8Array(timeval.buffer), 16);
}
