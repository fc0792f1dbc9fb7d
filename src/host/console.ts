// Where the master of a container's terminal goes: the caller's console socket, or this process.
import { resolve } from "node:path";
import type { Libc } from "../../native-bindings/libc.ts";
import { loadLibc } from "../../native-bindings/libc.ts";
import type { Context } from "../context.ts";
import { SyscallError, TsruncError } from "../errors.ts";
import { closeFd } from "./fd.ts";
import { connectSocket, openSocketPair, receiveDescriptors } from "./unix-socket.ts";

const EINTR = 4;
const INTENT = "receive the terminal";

/**
 * Connects to `--console-socket`, an AF_UNIX stream socket. The descriptor is close-on-exec; it is passed to init,
 * which sends the terminal's master over it. Throws SyscallError.
 */
export function connectConsoleSocket(ctx: Context, path: string): number {
  return connectSocket(loadLibc(ctx.installDir), resolve(ctx.cwd, path), "connect to the console socket");
}

/** For the foreground: `init` is passed to init as its console socket, `host` is for `receiveMaster`. */
export function openConsolePair(libc: Libc): { readonly host: number; readonly init: number } {
  const [host, init] = openSocketPair(libc, INTENT);
  return { host, init };
}

/**
 * Receives the one descriptor that init sends by SCM_RIGHTS (unix(7)); it is close-on-exec. The socket stays open.
 * Throws SyscallError, or TsruncError if something else came.
 */
export function receiveMaster(libc: Libc, socket: number): number {
  const data = new Uint8Array(4096);
  const fds: number[] = [];
  let received = receiveDescriptors(libc, socket, data, fds);
  while (received < 0 && libc.errno() === EINTR) received = receiveDescriptors(libc, socket, data, fds);
  if (received < 0) throw new SyscallError(INTENT, "recvmsg(console)", libc.errno());
  const [master] = fds;
  if (master === undefined || fds.length !== 1) {
    for (const fd of fds) closeFd(libc, fd);
    throw new TsruncError(`${INTENT}: ${fds.length} descriptors came instead of one`);
  }
  return master;
}
