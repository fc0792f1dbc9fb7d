// sd_notify(3) for a container: a socket of the container's own, from which only READY=1 goes on to the caller's
// service manager. Anything else, such as another MAINPID=, would let a container speak for its host.
import { chmodSync } from "node:fs";
import type { Libc } from "../../native-bindings/libc.ts";
import { SyscallError } from "../errors.ts";
import { closeFd } from "./fd.ts";
import { openPipe } from "./pipe.ts";
import { POLLIN, type Poller } from "./poller.ts";
import { callOnPath, encodeAddress, sendDescriptor } from "./unix-socket.ts";

const AF_UNIX = 1;
const SOCK_DGRAM_CLOEXEC = 2 | 0o2000000;
const MSG_DONTWAIT = 0x40;
const EINTR = 4;
const FOREVER = -1;
/** Longest message that is read; longer ones are cut (runc's bound). */
const MESSAGE_SIZE = 4096;
/** How long a service manager may take to read what it was sent; one that knows no BARRIER=1 never answers. */
const BARRIER_MS = 30_000;
const INTENT = "NOTIFY_SOCKET";

export interface NotifyProxy {
  /**
   * Waits until the container is ready, and tells so, with the pid that is to be watched from then on; or until the
   * process of the pidfd has ended. `warn` gets what cannot be told. Throws SyscallError.
   */
  readonly waitReady: (pidfd: number, pid: number, warn: (message: string) => void) => void;
  /** As waitReady, but in the background, and the service's main process stays the caller's. */
  readonly watch: (poller: Poller, failed: (error: unknown) => void) => void;
  readonly close: () => void;
}

/**
 * Opens the container's socket at `path` and connects to the service manager's (`host`: a path or, with `@` in front,
 * a name in the abstract namespace). Throws SyscallError.
 */
export function openNotifyProxy(libc: Libc, path: string, host: string): NotifyProxy {
  const fds: number[] = [];
  const close = (): void => {
    for (const fd of fds.splice(0)) closeFd(libc, fd);
  };
  try {
    fds.push(openSocket(libc), openSocket(libc));
    const [own, manager] = fds as [number, number];
    connect(libc, manager, host);
    const call = `bind({AF_UNIX, "${path}"})`;
    callOnPath(libc, path, INTENT, call, (address) => libc.bind(own, address, address.length));
    chmodSync(path, 0o777); // whoever the container's user is
    return { ...makeProxy(libc, own, manager), close };
  } catch (error) {
    close();
    throw error;
  }
}

function makeProxy(libc: Libc, own: number, manager: number): Omit<NotifyProxy, "close"> {
  const send = (text: string): void => {
    const bytes = new TextEncoder().encode(text);
    if (libc.send(manager, bytes, bytes.length, 0) < 0)
      throw new SyscallError(INTENT, `send(${JSON.stringify(text)})`, libc.errno());
  };
  return {
    waitReady: (pidfd, pid, warn) => {
      for (;;) {
        const [isMessage, hasEnded] = pollBoth(libc, own, pidfd);
        if (isMessage && receiveReady(libc, own)) break;
        if (!isMessage && hasEnded) return;
      }
      send("READY=1\n");
      send(`MAINPID=${pid}\n`);
      // Its end means nothing to a manager that has not read the messages yet: they count by their sender.
      if (!waitBarrier(libc, manager)) warn(`${INTENT}: the service manager did not answer BARRIER=1`);
    },
    watch: (poller, failed) => {
      const watch = poller.watch(own, POLLIN, () => {
        try {
          if (!receiveReady(libc, own)) return;
          watch.stop();
          send("READY=1\n");
        } catch (error) {
          watch.stop();
          failed(error);
        }
      });
    },
  };
}

function openSocket(libc: Libc): number {
  const fd = libc.socket(AF_UNIX, SOCK_DGRAM_CLOEXEC, 0);
  if (fd < 0) throw new SyscallError(INTENT, "socket(AF_UNIX, SOCK_DGRAM|SOCK_CLOEXEC)", libc.errno());
  return fd;
}

function connect(libc: Libc, fd: number, host: string): void {
  const call = `connect({AF_UNIX, "${host}"})`;
  if (!host.startsWith("@")) {
    callOnPath(libc, host, INTENT, call, (address) => libc.connect(fd, address, address.length));
    return;
  }
  // An abstract name begins with NUL and ends where the address ends (unix(7)).
  const address = encodeAddress(host);
  address[2] = 0;
  if (libc.connect(fd, address, address.length - 1) < 0) throw new SyscallError(INTENT, call, libc.errno());
}

/** Waits for either descriptor; tells which of them are readable. */
function pollBoth(libc: Libc, ...fds: readonly [number, number]): readonly [boolean, boolean] {
  const bytes = new Uint8Array(16); // two struct pollfd
  const view = new DataView(bytes.buffer);
  for (const [i, fd] of fds.entries()) {
    view.setInt32(8 * i, fd, true);
    view.setInt16(8 * i + 4, POLLIN, true);
  }
  while (libc.poll(bytes, 2, FOREVER) < 0)
    if (libc.errno() !== EINTR) throw new SyscallError(INTENT, "poll()", libc.errno());
  return [view.getInt16(6, true) !== 0, view.getInt16(14, true) !== 0];
}

/** Reads one message; whether it says READY=1. */
function receiveReady(libc: Libc, own: number): boolean {
  const buffer = new Uint8Array(MESSAGE_SIZE);
  const got = libc.recv(own, buffer, buffer.length, MSG_DONTWAIT);
  return got > 0 && saysReady(new TextDecoder().decode(buffer.subarray(0, got)));
}

/** Whether a message of sd_notify(3), lines of NAME=VALUE, tells that the service is up. */
export function saysReady(message: string): boolean {
  return message.split("\n").includes("READY=1");
}

/** sd_notify_barrier(3): the manager closes the pipe's end that it is sent once it has read all before. */
function waitBarrier(libc: Libc, manager: number): boolean {
  const [read, write] = openPipe(libc, INTENT);
  try {
    try {
      sendDescriptor(libc, manager, new TextEncoder().encode("BARRIER=1"), write, INTENT);
    } finally {
      closeFd(libc, write);
    }
    const pollfd = new Uint8Array(8);
    const view = new DataView(pollfd.buffer);
    view.setInt32(0, read, true);
    view.setInt16(4, POLLIN, true);
    const end = Date.now() + BARRIER_MS;
    for (;;) {
      const ready = libc.poll(pollfd, 1, Math.max(0, end - Date.now()));
      if (ready > 0) return true;
      if (ready === 0) return false;
      if (libc.errno() !== EINTR) throw new SyscallError(INTENT, "poll()", libc.errno());
    }
  } finally {
    closeFd(libc, read);
  }
}
