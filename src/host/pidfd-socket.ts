// `--pidfd-socket`: the caller gets a pidfd of the process, which no reuse of its number can turn to another.
import { resolve } from "node:path";
import { type Libc, loadLibc } from "../../native-bindings/libc.ts";
import type { Context } from "../context.ts";
import { TsruncError } from "../errors.ts";
import { closeFd } from "./fd.ts";
import { openPidfd } from "./signal.ts";
import { connectSocket, sendDescriptor } from "./unix-socket.ts";

/** Connects to the caller's AF_UNIX stream socket; the descriptor is close-on-exec. Throws SyscallError. */
export function connectPidfdSocket(ctx: Context, path: string): number {
  return connectSocket(loadLibc(ctx.installDir), resolve(ctx.cwd, path), "connect to the pidfd socket");
}

/**
 * Sends a pidfd of a child of this process. The bytes that come with it say what the process is, in runc's words:
 * `standard` for a container's first one, `setns` for that of an exec. Throws SyscallError, TsruncError.
 */
export function sendPidfd(libc: Libc, socket: number, pid: number, kind: "standard" | "setns"): void {
  const pidfd = openPidfd(libc, pid);
  if (pidfd === undefined) throw new TsruncError(`send the pidfd: process ${pid} is gone`);
  try {
    sendDescriptor(libc, socket, new TextEncoder().encode(kind), pidfd, "send the pidfd");
  } finally {
    closeFd(libc, pidfd);
  }
}
