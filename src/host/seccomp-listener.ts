// Hands the listener of a seccomp filter to its agent ("The Container Process State" in config-linux.md).
import type { Libc } from "../../native-bindings/libc.ts";
import { SyscallError } from "../errors.ts";
import { closeFd } from "./fd.ts";
import { connectSocket, sendDescriptor } from "./unix-socket.ts";

const PATH = "linux.seccomp.listenerPath";

/** Does with a listener what is to be done; `fd` is its number in init, which waits for LISTENER_TAKEN then. */
export type TakeListener = (fd: number) => void;
export const LISTENER_TAKEN: Uint8Array = new Uint8Array(1);

export interface ListenerAddress {
  /** The agent's socket: AF_UNIX, SOCK_STREAM. */
  readonly path: string;
  /** JSON for the agent. */
  readonly state: string;
}

/**
 * Takes descriptor `fd` of a process and sends it in one message on one new connection. pidfd_getfd needs
 * CAP_SYS_PTRACE, since init cannot be looked into. Throws SyscallError.
 */
export function handOverListener(libc: Libc, pidfd: number, fd: number, address: ListenerAddress): void {
  const listener = libc.pidfd_getfd(pidfd, fd, 0); // close-on-exec
  if (listener < 0)
    throw new SyscallError(
      `${PATH}: take the seccomp listener from init`,
      `pidfd_getfd(pidfd, ${fd})`,
      libc.errno(),
    );
  try {
    const socket = connectSocket(libc, address.path, `${PATH}: connect to the seccomp agent`);
    try {
      const data = new TextEncoder().encode(address.state);
      sendDescriptor(libc, socket, data, listener, `${PATH}: send the seccomp listener`);
    } finally {
      closeFd(libc, socket);
    }
  } finally {
    closeFd(libc, listener);
  }
}
