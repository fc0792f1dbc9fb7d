// Real-time signals, for which the engine has no listeners: by default they would end this process.
//
// A handler must be code that may run at any moment in any thread, and JavaScript is not. The C library's eventfd_write(3)
// is, and the kernel calls a handler with the signal's number and the address of a siginfo_t: as descriptor and value they
// make the eventfd of just that number readable. So each signal has an eventfd under its own number.
import type { Libc } from "../../native-bindings/libc.ts";
import { SyscallError } from "../errors.ts";
import { RTMAX, RTMIN } from "../linux/signals.ts";
import { decodePollFds, encodePollFds, POLLIN, type Poller } from "./poller.ts";

const SIG_IGN = 1n;
const SA_SIGINFO = 4;
const SA_RESTART = 0x10000000;
const SA_ONSTACK = 0x08000000;
/** struct sigaction of glibc, on both architectures: handler, mask of 128 bytes, int flags, restorer. */
const SIGACTION_SIZE = 152;
const FLAGS_OFFSET = 136;

const EFD_NONBLOCK = 0o4000;
const EFD_CLOEXEC = 0o2000000;
const EPOLL_CLOEXEC = 0o2000000;
const EPOLL_CTL_ADD = 1;
const F_DUPFD_CLOEXEC = 1030;

const INTENT = "catch real-time signals";
const NUMBERS = Array.from({ length: RTMAX - RTMIN + 1 }, (_, i) => RTMIN + i);

/** Takes away their effect on this process, until its end. Programs that init executes have the default actions. */
export function ignoreRealTimeSignals(libc: Libc): void {
  for (const signal of NUMBERS) setAction(libc, signal, SIG_IGN, 0);
}

/**
 * Calls `heard` for each real-time signal that comes, once if it comes again before that, until the returned function is
 * called: then they are ignored. So is one whose number is taken by a descriptor of the caller's. Throws SyscallError.
 */
export function catchRealTimeSignals(
  libc: Libc,
  poller: Poller,
  heard: (signal: number) => void,
): () => void {
  const epoll = libc.epoll_create1(EPOLL_CLOEXEC);
  if (epoll < 0) throw new SyscallError(INTENT, "epoll_create1()", libc.errno());
  const caught: number[] = [];
  const release = (): void => {
    for (const signal of caught) setAction(libc, signal, SIG_IGN, 0);
    for (const fd of [...caught, epoll]) libc.close(fd);
  };
  try {
    for (const signal of NUMBERS) {
      if (!openEventfd(libc, signal)) continue;
      caught.push(signal);
      const event = new Uint8Array(16); // struct epoll_event; its data are not used
      event[0] = POLLIN;
      if (libc.epoll_ctl(epoll, EPOLL_CTL_ADD, signal, event) < 0)
        throw new SyscallError(INTENT, `epoll_ctl(ADD, ${signal})`, libc.errno());
      setAction(libc, signal, libc.symbol("eventfd_write"), SA_SIGINFO | SA_RESTART | SA_ONSTACK);
    }
  } catch (error) {
    release();
    throw error;
  }
  const counter = new Uint8Array(8);
  const watch = poller.watch(epoll, POLLIN, () => {
    const fds = encodePollFds(caught.map((fd) => ({ fd, events: POLLIN })));
    if (libc.poll(fds, caught.length, 0) <= 0) return;
    for (const [i, events] of decodePollFds(fds).entries())
      if (events !== 0 && libc.read(caught[i] as number, counter, 8) === 8) heard(caught[i] as number);
  });
  return () => {
    watch.stop();
    release();
  };
}

/** An eventfd with a certain number; false if that number is taken. */
function openEventfd(libc: Libc, number: number): boolean {
  const fd = libc.eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (fd < 0) throw new SyscallError(INTENT, "eventfd()", libc.errno());
  if (fd === number) return true;
  const copy = libc.fcntl(fd, F_DUPFD_CLOEXEC, number); // the first one that is free from there on
  const errno = libc.errno();
  libc.close(fd);
  if (copy < 0) throw new SyscallError(INTENT, `fcntl(F_DUPFD_CLOEXEC, ${number})`, errno);
  if (copy !== number) libc.close(copy);
  return copy === number;
}

function setAction(libc: Libc, signal: number, handler: bigint, flags: number): void {
  const action = new DataView(new ArrayBuffer(SIGACTION_SIZE));
  action.setBigUint64(0, handler, true);
  action.setInt32(FLAGS_OFFSET, flags, true);
  if (libc.sigaction(signal, new Uint8Array(action.buffer), null) < 0)
    throw new SyscallError(INTENT, `sigaction(${signal})`, libc.errno());
}
