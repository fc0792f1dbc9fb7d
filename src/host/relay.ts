// Copies between the caller's standard streams and the master of a pty, both ways, without ever waiting in a call.
import { closeSync, constants, openSync } from "node:fs";
import type { Libc } from "../../native-bindings/libc.ts";
import { readTermios } from "./keeper.ts";
import { readSome, setNonBlocking, writeSome } from "./pipe.ts";
import { decodePollFds, encodePollFds, POLLIN, POLLOUT, type Poller, type Watch } from "./poller.ts";

/** After poll(2) has told that a pipe can be written, so much never blocks (PIPE_BUF, pipe(7)). */
const CHUNK = 4096;
/** The most that is copied before other events get their turn. */
const MOST_AT_ONCE = 256 * 1024;
/** How long to wait for more output when the process has ended and another one keeps the pty open. */
const QUIET_MS = 100;

export interface Relay {
  /** Resolves when what the ended process has written is copied. */
  drain(): Promise<void>;
  /** Stops copying. The descriptors given to it stay open. */
  stop(): void;
}

interface Copy {
  readonly libc: Libc;
  readonly master: number;
  readonly stdin: number;
  readonly stdout: number;
  /** Output that waits for stdout, input that waits for the pty. */
  output: Uint8Array;
  input: Uint8Array;
  isMasterOpen: boolean;
  isStdinOpen: boolean;
  isStdoutOpen: boolean;
}

const NOTHING = new Uint8Array(0);

/** Starts copying. `master` must be nobody else's: it is made non-blocking. */
export function openRelay(libc: Libc, poller: Poller, master: number, stdin: number, stdout: number): Relay {
  setNonBlocking(libc, master);
  const own = reopenTerminal(libc, stdout);
  const copy: Copy = {
    libc,
    master,
    stdin,
    stdout: own ?? stdout,
    output: NOTHING,
    input: NOTHING,
    isMasterOpen: true,
    isStdinOpen: true,
    isStdoutOpen: true,
  };
  let whenQuiet: (() => void) | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let isStopped = false;

  const work = (): void => {
    clearTimeout(timer);
    copyOutput(copy);
    copyInput(copy);
    onMaster.set(masterEvents(copy));
    onStdin.set(copy.isStdinOpen && copy.isMasterOpen && copy.input.length === 0 ? POLLIN : 0);
    onStdout.set(copy.output.length > 0 ? POLLOUT : 0);
    if (!whenQuiet || copy.output.length > 0) return;
    if (copy.isMasterOpen) timer = setTimeout(whenQuiet, QUIET_MS);
    else whenQuiet();
  };
  const onMaster: Watch = poller.watch(master, POLLIN, work);
  const onStdout: Watch = poller.watch(copy.stdout, 0, work);
  const onStdin: Watch = poller.watch(stdin, POLLIN, () => {
    takeInput(copy);
    work();
  });

  return {
    drain: () =>
      new Promise((resolve) => {
        whenQuiet = resolve;
        work();
      }),
    stop: () => {
      if (isStopped) return;
      isStopped = true;
      clearTimeout(timer);
      for (const watch of [onMaster, onStdin, onStdout]) watch.stop();
      if (own !== undefined) closeSync(own);
    },
  };
}

/**
 * A descriptor for the same terminal that does not block: on the caller's own, which others share, that flag must
 * not be set. Undefined if it is no terminal or may not be opened.
 */
function reopenTerminal(libc: Libc, fd: number): number | undefined {
  if (readTermios(libc, fd) === undefined) return undefined;
  try {
    return openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  } catch {
    return undefined; // another user's terminal (after su): writing to it may block us, for as long as it blocks
  }
}

function masterEvents(copy: Copy): number {
  if (!copy.isMasterOpen) return 0;
  return (copy.output.length === 0 ? POLLIN : 0) | (copy.input.length === 0 ? 0 : POLLOUT);
}

function copyOutput(copy: Copy): void {
  const buffer = new Uint8Array(CHUNK);
  for (let total = 0; total < MOST_AT_ONCE; ) {
    if (copy.output.length === 0) {
      if (!copy.isMasterOpen) return;
      const data = readSome(copy.libc, copy.master, buffer);
      if (data === "end") copy.isMasterOpen = false; // EIO: nobody has the slave open any more
      if (data === "end" || data === "again") return;
      copy.output = data.slice();
      total += data.length;
    }
    // Nobody reads our output any more: the process must not be held up by that.
    if (!copy.isStdoutOpen) copy.output = NOTHING;
    else if (!isWritable(copy.libc, copy.stdout)) return;
    else {
      const count = writeSome(copy.libc, copy.stdout, copy.output);
      if (count === "gone") copy.isStdoutOpen = false;
      else if (count === 0) return;
      else copy.output = copy.output.subarray(count);
    }
  }
}

function isWritable(libc: Libc, fd: number): boolean {
  const fds = encodePollFds([{ fd, events: POLLOUT }]);
  return libc.poll(fds, 1, 0) > 0 && decodePollFds(fds)[0] !== 0;
}

function takeInput(copy: Copy): void {
  if (copy.input.length > 0) return;
  const data = readSome(copy.libc, copy.stdin, new Uint8Array(CHUNK));
  if (data === "end") copy.isStdinOpen = false;
  else if (data !== "again") copy.input = data;
}

function copyInput(copy: Copy): void {
  while (copy.input.length > 0) {
    const count = copy.isMasterOpen ? writeSome(copy.libc, copy.master, copy.input) : "gone";
    if (count === 0) return;
    copy.input = count === "gone" ? NOTHING : copy.input.subarray(count);
  }
}
