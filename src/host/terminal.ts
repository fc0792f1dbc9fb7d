// Connects the caller's terminal with the container's for `run` and `exec` in the foreground.
import { closeSync, constants, openSync } from "node:fs";
import { type Libc, loadLibc } from "../../native-bindings/libc.ts";
import type { Context } from "../context.ts";
import { SyscallError, TsruncError } from "../errors.ts";
import { clearOnlcr, makeRaw, TIOCGWINSZ, TIOCSWINSZ, WINSIZE_SIZE } from "../linux/termios.ts";
import { closeFd } from "./fd.ts";
import { type Keeper, openKeeper, readTermios, setTermios } from "./keeper.ts";
import type { Poller } from "./poller.ts";
import { openRelay, type Relay } from "./relay.ts";

/** The caller's signals, given by src/cli, which alone may install handlers: `process` fits. */
export interface SignalSource {
  on(name: NodeJS.Signals, listener: () => void): unknown;
  off(name: NodeJS.Signals, listener: () => void): unknown;
  /** Whether this process is the caller's alone: then its real-time signals, which have no listeners, are taken too. */
  readonly takesRealTime?: boolean;
}

export interface AttachedTerminal {
  /** To be called when the process has ended: copies the rest of its output, then does what `close` does. */
  done(): Promise<void>;
  /** Restores the caller's terminal, and closes the master and everything else. May be called again. */
  close(): void;
}

export interface TerminalOptions {
  readonly poller: Poller;
  readonly signals: SignalSource;
}

/**
 * Makes the caller's terminal raw and copies between its standard streams and `master`; follows the terminal's
 * size. The terminal is restored whatever becomes of this process. Takes over `master`, also when it throws:
 * SyscallError or TsruncError. To be called before the container's process starts.
 */
export function attachTerminal(ctx: Context, master: number, options: TerminalOptions): AttachedTerminal {
  const libc = loadLibc(ctx.installDir);
  const { signals, poller } = options;
  let own: number | undefined; // a descriptor that we have opened for the caller's terminal
  let keeper: Keeper | undefined;
  let relay: Relay | undefined;
  let isClosed = false;
  const close = (): void => {
    if (isClosed) return;
    isClosed = true;
    relay?.stop();
    signals.off("SIGWINCH", resize);
    closeFd(libc, master);
    try {
      keeper?.restore();
    } finally {
      if (own !== undefined) closeSync(own);
    }
  };
  let terminal: number;
  const resize = (): void => copySize(libc, terminal, master);
  try {
    const streams = findTerminal(libc, ctx.stdio);
    if (streams === undefined) own = openControllingTerminal();
    terminal = streams ?? (own as number);
    const before = readTermios(libc, terminal);
    const inside = readTermios(libc, master);
    if (!before || !inside) throw new TsruncError("attach the terminal: it has been hung up");
    setTermios(libc, master, clearOnlcr(inside));
    resize();
    keeper = openKeeper(ctx, terminal, before);
    setTermios(libc, terminal, makeRaw(before));
    relay = openRelay(libc, poller, master, ctx.stdio[0], ctx.stdio[1]);
    signals.on("SIGWINCH", resize);
  } catch (error) {
    close();
    throw error;
  }
  const opened = relay;
  return {
    done: async () => {
      await opened.drain();
      close();
    },
    close,
  };
}

/** Usually all three streams are the terminal; any of them may be redirected. The order is runc's. */
function findTerminal(libc: Libc, [stdin, stdout, stderr]: Context["stdio"]): number | undefined {
  return [stderr, stdout, stdin].find((fd) => readTermios(libc, fd) !== undefined);
}

function openControllingTerminal(): number {
  try {
    return openSync("/dev/tty", constants.O_RDWR | constants.O_NOCTTY);
  } catch (error) {
    const { errno } = error as NodeJS.ErrnoException;
    if (errno === undefined) throw error;
    const hint = "process.terminal is true, and none of the standard streams is a terminal";
    throw new SyscallError("", "open /dev/tty", Math.abs(errno), hint);
  }
}

/** Errors mean that one of them is gone: then its size is of no interest. */
function copySize(libc: Libc, from: number, to: number): void {
  const size = new Uint8Array(WINSIZE_SIZE);
  if (libc.ioctl(from, TIOCGWINSZ, size) === 0) libc.ioctl(to, TIOCSWINSZ, size);
}
