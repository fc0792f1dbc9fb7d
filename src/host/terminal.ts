import type { Context } from "../context.ts";
import type { Poller } from "./poller.ts";

/** The caller's signals, given by src/cli: `process` fits. */
export interface SignalSource {
  on(name: NodeJS.Signals, listener: () => void): unknown;
  off(name: NodeJS.Signals, listener: () => void): unknown;
}

export interface AttachedTerminal {
  /** To be called when the process has ended: resolves when its output is drained and the caller's terminal restored. */
  done(): Promise<void>;
  /** Restores the caller's terminal and closes everything, at once. */
  close(): void;
}

export interface TerminalOptions {
  readonly poller: Poller;
  readonly signals: SignalSource;
}

/** Takes over `master`. Call it before the process starts; throws if the caller has no terminal. */
export function attachTerminal(_ctx: Context, _master: number, _options: TerminalOptions): AttachedTerminal {
  throw new Error("in work");
}
