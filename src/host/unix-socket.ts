// AF_UNIX sockets: addresses by path, and descriptors that are sent over them.
import { closeSync, constants, openSync } from "node:fs";
import { basename, dirname } from "node:path";
import type { Libc } from "../../native-bindings/libc.ts";
import { SyscallError } from "../errors.ts";
import { closeFd } from "./fd.ts";

const AF_UNIX = 1;
const SOCK_STREAM_CLOEXEC = 1 | 0o2000000;
const MSG_NOSIGNAL = 0x4000;
const MSG_CMSG_CLOEXEC = 0x40000000;
const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
/** struct cmsghdr. */
const CMSG_HEADER = 16;
/** Room for more descriptors than anybody expects, so that they can be told and closed instead of being cut off. */
const CONTROL_SIZE = 64;
const EINTR = 4;
/** Bytes that sun_path holds, without the NUL at the end (unix(7)). */
const LONGEST = 107;

/**
 * Gives `use` an equivalent of the path that fits into a socket address: a longer one goes through a descriptor of
 * its directory. Throws the error of opening the directory (ErrnoException), or ENAMETOOLONG for a name that fits
 * in no way.
 */
function withSocketPath<T>(path: string, use: (short: string) => T): T {
  if (Buffer.byteLength(path) <= LONGEST) return use(path);
  const directory = openSync(dirname(path), constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    const short = `/proc/self/fd/${directory}/${basename(path)}`;
    if (Buffer.byteLength(short) > LONGEST)
      throw new SyscallError("", `connect({AF_UNIX, "${path}"})`, 36 /* ENAMETOOLONG */);
    return use(short);
  } finally {
    closeSync(directory);
  }
}

/** struct sockaddr_un. */
export function encodeAddress(path: string): Uint8Array {
  const name = new TextEncoder().encode(path);
  const address = new Uint8Array(2 + name.length + 1);
  address[0] = AF_UNIX;
  address.set(name, 2);
  return address;
}

/** A stream socket, close-on-exec. Throws SyscallError. */
export function openStreamSocket(libc: Libc, intent: string): number {
  const fd = libc.socket(AF_UNIX, SOCK_STREAM_CLOEXEC, 0);
  if (fd < 0) throw new SyscallError(intent, "socket(AF_UNIX, SOCK_STREAM|SOCK_CLOEXEC)", libc.errno());
  return fd;
}

/** Two connected stream sockets, close-on-exec. Throws SyscallError. */
export function openSocketPair(libc: Libc, intent: string): readonly [number, number] {
  const pair = new Int32Array(2);
  if (libc.socketpair(AF_UNIX, SOCK_STREAM_CLOEXEC, 0, new Uint8Array(pair.buffer)) < 0)
    throw new SyscallError(intent, "socketpair(AF_UNIX, SOCK_STREAM|SOCK_CLOEXEC)", libc.errno());
  return [pair[0] as number, pair[1] as number];
}

/** Connects a stream socket to a path; the descriptor is close-on-exec. Throws SyscallError. */
export function connectSocket(libc: Libc, path: string, intent: string): number {
  const fd = openStreamSocket(libc, intent);
  try {
    const call = `connect({AF_UNIX, "${path}"})`;
    callOnPath(libc, path, intent, call, (address) => libc.connect(fd, address, address.length));
  } catch (error) {
    closeFd(libc, fd);
    throw error;
  }
  return fd;
}

/**
 * Sends bytes, at least one, and with the first of them a descriptor as SCM_RIGHTS (unix(7)). Throws SyscallError.
 */
export function sendDescriptor(
  libc: Libc,
  socket: number,
  data: Uint8Array,
  fd: number,
  intent: string,
): void {
  // struct cmsghdr: length, level SOL_SOCKET, type SCM_RIGHTS; then the descriptor.
  const control = new Uint8Array(24);
  const header = new DataView(control.buffer);
  header.setBigUint64(0, 20n, true);
  header.setInt32(8, 1, true);
  header.setInt32(12, 1, true);
  header.setInt32(16, fd, true);
  const iov = new Uint8Array(
    new BigUint64Array([libc.address(data), BigInt(data.length)]).buffer as ArrayBuffer,
  );
  // struct msghdr: name, its length, iov, its length, control, its length, flags.
  const message = new BigUint64Array([0n, 0n, libc.address(iov), 1n, libc.address(control), 24n, 0n]);
  const bytes = new Uint8Array(message.buffer);
  let rest: Uint8Array | undefined;
  while (rest === undefined || rest.length > 0) {
    const sent = rest
      ? libc.send(socket, rest, rest.length, MSG_NOSIGNAL)
      : libc.sendmsg(socket, bytes, MSG_NOSIGNAL);
    if (sent >= 0) rest = (rest ?? data).subarray(sent);
    else if (libc.errno() !== EINTR) throw new SyscallError(intent, "sendmsg(SCM_RIGHTS)", libc.errno());
  }
}

/**
 * recvmsg(2): what came is in `data`, and descriptors that came by SCM_RIGHTS (unix(7)), close-on-exec, are added to
 * `fds`. Gives what recvmsg gives; errno is libc's.
 */
export function receiveDescriptors(libc: Libc, socket: number, data: Uint8Array, fds: number[]): number {
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
  const received = libc.recvmsg(socket, new Uint8Array(message.buffer), MSG_CMSG_CLOEXEC);
  if (received >= 0) fds.push(...readDescriptors(control, Number(message[5])));
  return received;
}

function readDescriptors(control: Uint8Array, length: number): number[] {
  const view = new DataView(control.buffer, control.byteOffset, control.length);
  if (length < CMSG_HEADER + 4) return [];
  const size = Number(view.getBigUint64(0, true));
  if (view.getInt32(8, true) !== SOL_SOCKET || view.getInt32(12, true) !== SCM_RIGHTS) return [];
  const fds: number[] = [];
  for (let at = CMSG_HEADER; at + 4 <= Math.min(size, length); at += 4) fds.push(view.getInt32(at, true));
  return fds;
}

/** A call that takes a path as a socket address. */
export function callOnPath(
  libc: Libc,
  path: string,
  intent: string,
  call: string,
  act: (address: Uint8Array) => number,
): void {
  let errno = 0;
  try {
    withSocketPath(path, (short) => {
      if (act(encodeAddress(short)) < 0) errno = libc.errno();
    });
  } catch (error) {
    const number = (error as { errno?: number }).errno;
    if (number === undefined) throw error;
    errno = Math.abs(number);
  }
  if (errno !== 0) throw new SyscallError(intent, call, errno);
}
