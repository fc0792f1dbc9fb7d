// The caller's context, made once for a command from the state of this process.
import { dirname } from "node:path";
import type { Context, Log } from "../context.ts";
import type { CommandDefinition } from "./command.ts";
import { findIgnoredSignals, guessCallerNofile, listInheritedFds } from "./engine.ts";
import type { GlobalOptions } from "./global-options.ts";
import { chooseRoot } from "./root.ts";

/** What bin/tsrunc.ts reads of its process. */
export interface ProcessState {
  /** Arguments without the program's name. */
  readonly argv: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly euid: number;
  readonly egid: number;
  readonly parentPid: number;
  /** Path of the executable, as the kernel has it: without symbolic links. */
  readonly execPath: string;
  /** Writes a text to stdout (1) or stderr (2). */
  readonly write: (fd: 1 | 2, text: string) => void;
  readonly isTerminal: (fd: 1 | 2) => boolean;
}

/**
 * Makes the context. `passesFds`: find out which descriptors the caller passed; nothing of tsrunc's own may be
 * open then. `runsHooks`: find out which signals it ignores; nothing may handle any yet.
 */
export function createContext(
  state: ProcessState,
  options: GlobalOptions,
  log: Log,
  { passesFds, runsHooks }: Pick<CommandDefinition, "passesFds" | "runsHooks">,
): Context {
  const nofile = passesFds ? guessCallerNofile(state.parentPid) : undefined;
  return {
    cwd: state.cwd,
    env: state.env,
    stdio: [0, 1, 2],
    inheritedFds: passesFds ? listInheritedFds() : [],
    ...(runsHooks ? { ignoredSignals: findIgnoredSignals() } : {}),
    euid: state.euid,
    egid: state.egid,
    log,
    now: () => new Date(),
    installDir: dirname(state.execPath),
    root: chooseRoot(state, options.root),
    ...(nofile === undefined ? {} : { callerNofile: nofile }),
  };
}
