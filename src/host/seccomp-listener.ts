// Hands the listener of a seccomp filter to its agent ("The Container Process State" in config-linux.md).
import type { Libc } from "../../native-bindings/libc.ts";
import { TsruncError } from "../errors.ts";
import { closeFd } from "./fd.ts";
import { waitForEnd } from "./signal.ts";
import { connectSocket, sendDescriptor } from "./unix-socket.ts";

const PATH = "linux.seccomp.listenerPath";
/** Longest time that init's helper may take to end, in milliseconds; all that it has to do then is to end. */
const HELPER_TIMEOUT_MS = 10_000;

/** Takes the descriptors that came with the report `listening`, to close them; init waits for LISTENER_TAKEN then. */
export type TakeListener = (fds: readonly number[]) => void;
export const LISTENER_TAKEN: Uint8Array = new Uint8Array(1);
/** Longest time, in milliseconds, that init may take up to its filter; a working directory on a slow network fits. */
export const LISTENER_TIMEOUT_MS = 120_000;

export interface ListenerAddress {
  /** The agent's socket: AF_UNIX, SOCK_STREAM. */
  readonly path: string;
  /** JSON for the agent. */
  readonly state: string;
}

/**
 * Sends a listener in one message on one new connection, when init's helper has ended. `fds` are what came from it:
 * the listener, and a pidfd of the helper; they are closed. Throws SyscallError, TsruncError.
 */
export function handOverListener(libc: Libc, fds: readonly number[], address: ListenerAddress): void {
  try {
    const [listener, helper] = fds;
    if (listener === undefined || helper === undefined || fds.length !== 2)
      throw new TsruncError(
        `${PATH}: receive the seccomp listener: ${fds.length} descriptors came instead of two`,
      );
    if (!waitForEnd(libc, helper, HELPER_TIMEOUT_MS))
      throw new TsruncError(`${PATH}: init's helper did not end within ${HELPER_TIMEOUT_MS / 1000} seconds`);
    const socket = connectSocket(libc, address.path, `${PATH}: connect to the seccomp agent`);
    try {
      const data = new TextEncoder().encode(address.state);
      sendDescriptor(libc, socket, data, listener, `${PATH}: send the seccomp listener`);
    } finally {
      closeFd(libc, socket);
    }
  } finally {
    for (const fd of fds) closeFd(libc, fd);
  }
}
