// The socket on which a created container's init waits for `start`, and the sending of the start batch. (Node's
// own sockets would do for the latter, but take longer to load than koffi.)
import { fchmodSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import { type Libc, loadLibc } from "../../native-bindings/libc.ts";
import type { Context } from "../context.ts";
import { SyscallError, TsruncError } from "../errors.ts";
import { decodeReportHeader, REPORT_SIZE, type ReportHeader } from "../plan/report.ts";
import { closeFd, setReceiveTimeout } from "./fd.ts";
import { LISTENER_TAKEN, LISTENER_TIMEOUT_MS, type TakeListener } from "./seccomp-listener.ts";
import { callOnPath, connectSocket, openStreamSocket, receiveDescriptors } from "./unix-socket.ts";

const NAME = "start.sock";
const INTENT = "open the start socket";
const MSG_NOSIGNAL = 0x4000;
const ENOENT = 2;
const EINTR = 4;
const EAGAIN = 11;
const ECONNREFUSED = 111;

/**
 * Opens the listening socket `start.sock` (0600) in the container's directory. The descriptor is close-on-exec: it
 * is passed to init, and this process must close it, so that nobody listens once init has ended. Throws
 * SyscallError.
 */
export function openStartSocket(ctx: Context, containerDir: string): number {
  const libc = loadLibc(ctx.installDir);
  const path = join(containerDir, NAME);
  const fd = openStreamSocket(libc, INTENT);
  try {
    fchmodSync(fd, 0o600); // before bind: the socket's file is made with this mode
    callOnPath(libc, path, INTENT, `bind({AF_UNIX, "${path}"})`, (address) =>
      libc.bind(fd, address, address.length),
    );
    if (libc.listen(fd, 1) < 0) throw new SyscallError(INTENT, "listen(1)", libc.errno());
  } catch (error) {
    closeFd(libc, fd);
    throw error;
  }
  return fd;
}

/**
 * What became of a start batch. `started`: init closed the connection without a word, as execve does (or its
 * death: the caller can tell by the container's status). `failed`: a step of init's failed; `index` counts init's
 * steps as `Batch.planIndex` does. `absent`: nobody listens, so init has ended.
 */
export type StartOutcome =
  | { readonly kind: "started" }
  | { readonly kind: "failed"; readonly index: number; readonly errno: number }
  | { readonly kind: "absent" };

/**
 * Connects to the start socket, unlinks it, sends the batch, and waits for the outcome. `takeListener` is for a filter
 * with a listener, which must come within `listenerTimeoutMs`: init's helper may have been killed. Throws SyscallError
 * for any other error of the connection, TsruncError.
 */
export function sendStartBatch(
  ctx: Context,
  containerDir: string,
  batch: Uint8Array,
  takeListener: TakeListener | undefined,
  listenerTimeoutMs = LISTENER_TIMEOUT_MS,
): StartOutcome {
  const libc = loadLibc(ctx.installDir);
  const path = join(containerDir, NAME);
  let socket: number;
  try {
    socket = connectSocket(libc, path, "connect to the start socket");
  } catch (error) {
    if (error instanceof SyscallError && (error.errno === ECONNREFUSED || error.errno === ENOENT))
      return { kind: "absent" };
    throw error;
  }
  try {
    unlinkSync(path);
    if (!send(libc, socket, batch)) return { kind: "absent" };
    const fds: number[] = [];
    if (takeListener) setReceiveTimeout(libc, socket, listenerTimeoutMs);
    let report = receiveReport(libc, socket, takeListener && fds);
    if (report?.type === "listening" && takeListener) {
      takeListener(fds);
      if (!send(libc, socket, LISTENER_TAKEN)) return { kind: "absent" };
      setReceiveTimeout(libc, socket, 0); // how long execve takes is the agent's affair
      report = receiveReport(libc, socket);
    }
    if (report === undefined) return { kind: "started" };
    if (report.type !== "failed") throw new Error(`init reported ${report.type} where it had to execute`);
    return { kind: "failed", index: report.index, errno: report.value };
  } finally {
    closeFd(libc, socket); // an init whose step has failed waits for more, and ends now
  }
}

/** False if the other end is closed. */
function send(libc: Libc, socket: number, bytes: Uint8Array): boolean {
  for (let rest = bytes; rest.length > 0; ) {
    const sent = libc.send(socket, rest, rest.length, MSG_NOSIGNAL);
    if (sent >= 0) rest = rest.subarray(sent);
    else if (libc.errno() !== EINTR) return false;
  }
  return true;
}

/**
 * The header of init's report; undefined at end of file. Descriptors that come with it are added to `fds`. Throws
 * TsruncError when the socket's time is over.
 */
function receiveReport(libc: Libc, socket: number, fds?: number[]): ReportHeader | undefined {
  const header = new Uint8Array(REPORT_SIZE);
  for (let at = 0; at < header.length; ) {
    const part = header.subarray(at);
    const got = fds ? receiveDescriptors(libc, socket, part, fds) : libc.recv(socket, part, part.length, 0);
    if (got > 0) at += got;
    else if (got === 0) return undefined;
    else if (libc.errno() === EAGAIN)
      throw new TsruncError(
        "linux.seccomp.listenerPath: init did not hand the seccomp listener over in time",
      );
    else if (libc.errno() !== EINTR) return undefined;
  }
  return decodeReportHeader(header);
}
