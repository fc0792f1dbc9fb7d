// Where the master of a container's terminal goes: the caller's console socket, or this process.
import { resolve } from "node:path";
import type { Libc } from "../../native-bindings/libc.ts";
import { loadLibc } from "../../native-bindings/libc.ts";
import type { Context } from "../context.ts";
import { SyscallError, TsruncError } from "../errors.ts";
import { closeFd } from "./fd.ts";
import { connectSocket, openSocketPair } from "./unix-socket.ts";

const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const MSG_CTRUNC = 0x8;
const MSG_CMSG_CLOEXEC = 0x40000000;
const EINTR = 4;
/** struct cmsghdr and one descriptor. */
const CMSG_LENGTH = 16 + 4;
/** Room for more descriptors than one, so that they can be told and closed instead of being cut off. */
const CONTROL_SIZE = 64;
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
  const control = new Uint8Array(CONTROL_SIZE);
  const iov = new BigUint64Array([libc.address(data), BigInt(data.length)]);
  // struct msghdr: name, its length, iov, its length, control, its length, flags.
  const message = new BigUint64Array([
    0n,
    0n,
    libc.address(new Uint8Array(iov.buffer)),
    1n,
    libc.address(control),
    BigInt(control.length),
    0n,
  ]);
  const bytes = new Uint8Array(message.buffer);
  let received = libc.recvmsg(socket, bytes, MSG_CMSG_CLOEXEC);
  while (received < 0 && libc.errno() === EINTR) received = libc.recvmsg(socket, bytes, MSG_CMSG_CLOEXEC);
  if (received < 0) throw new SyscallError(INTENT, "recvmsg(console)", libc.errno());
  const fds = readDescriptors(control, Number(message[5]));
  const [master] = fds;
  if (master === undefined || fds.length !== 1 || (Number(message[6]) & MSG_CTRUNC) !== 0) {
    for (const fd of fds) closeFd(libc, fd);
    throw new TsruncError(`${INTENT}: ${fds.length} descriptors came instead of one`);
  }
  return master;
}

function readDescriptors(control: Uint8Array, length: number): number[] {
  const view = new DataView(control.buffer, control.byteOffset, control.length);
  if (length < CMSG_LENGTH) return [];
  const size = Number(view.getBigUint64(0, true));
  if (view.getInt32(8, true) !== SOL_SOCKET || view.getInt32(12, true) !== SCM_RIGHTS) return [];
  const fds: number[] = [];
  for (let at = 16; at + 4 <= Math.min(size, length); at += 4) fds.push(view.getInt32(at, true));
  return fds;
}
