// The socket between the host and an init: whole messages, or the error for an init that is gone.
import { TsruncError } from "../errors.ts";
import { describeEnd } from "./process.ts";
import type { Session } from "./session.ts";
import { receiveDescriptors } from "./unix-socket.ts";

const EINTR = 4;
const EAGAIN = 11;
const MSG_NOSIGNAL = 0x4000;

/** Longest time that init may take for one batch, in milliseconds: a mount of a slow network file system fits. */
export const BATCH_TIMEOUT_MS = 120_000;

type Conversation = Pick<Session, "init" | "pid">;

/** Sends a whole batch. */
export function sendAll(session: Conversation, bytes: Uint8Array): void {
  const { libc, socket } = session.init;
  let rest = bytes;
  while (rest.length > 0) {
    const sent = libc.send(socket, rest, rest.length, MSG_NOSIGNAL);
    if (sent < 0) {
      if (libc.errno() === EINTR) continue;
      throw lostInit(session);
    }
    rest = rest.subarray(sent);
  }
}

/** Receives exactly `length` bytes from init. */
export function receive(session: Conversation, length: number): Uint8Array {
  const bytes = receiveUnlessEnded(session, length);
  if (bytes === undefined) throw lostInit(session);
  return bytes;
}

/**
 * Receives exactly `length` bytes from init; undefined if it has closed its end before the first of them. Descriptors
 * that come with them are added to `fds`.
 */
export function receiveUnlessEnded(
  session: Conversation,
  length: number,
  fds?: number[],
): Uint8Array | undefined {
  const { libc, socket } = session.init;
  const bytes = new Uint8Array(length);
  let at = 0;
  while (at < length) {
    const part = bytes.subarray(at);
    const got = fds ? receiveDescriptors(libc, socket, part, fds) : libc.recv(socket, part, part.length, 0);
    if (got < 0 && libc.errno() === EINTR) continue;
    if (got < 0 && libc.errno() === EAGAIN)
      throw new TsruncError(`init did not answer within ${BATCH_TIMEOUT_MS / 1000} seconds`);
    if (got === 0 && at === 0) return undefined;
    if (got <= 0) throw lostInit(session);
    at += got;
  }
  return bytes;
}

/** The error for an init that is gone: killed from outside, for example by a memory limit. */
function lostInit(session: Conversation): TsruncError {
  const pid = session.pid === 0 ? session.init.launcherPid : session.pid;
  return new TsruncError(
    `the container's init process ended before it was set up: ${describeEnd(session.init.libc, pid)}`,
  );
}
