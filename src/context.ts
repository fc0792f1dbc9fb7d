// What a caller gives to every operation below src/cli. Nothing below src/cli reads process-wide state: several
// callers, each with its own context, can share one process.

/** Where messages go. Nothing but the final error ever reaches stderr when a log file is given. */
export interface Log {
  debug(message: string): void;
  info(message: string): void;
  warn(message: string): void;
  error(message: string): void;
}

export interface Context {
  /** The caller's working directory, absolute. Relative paths of flags are resolved against it. */
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Descriptors that become the container's fds 0, 1 and 2. */
  readonly stdio: readonly [number, number, number];
  /**
   * Descriptors ≥ 3 that the caller really passed, ascending (see `--preserve-fds`); the engine's own are not
   * in it.
   */
  readonly inheritedFds: readonly number[];
  readonly euid: number;
  readonly egid: number;
  readonly log: Log;
  /** Wall clock, for timestamps. */
  readonly now: () => Date;
  /** Folder that holds `init` and `koffi.node`, absolute. */
  readonly installDir: string;
  /** Folder of all containers' states, absolute (`--root`). */
  readonly root: string;
  /** Signals that the caller ignores and its programs inherit so, as nohup(1) does; found for commands that run hooks. */
  readonly ignoredSignals?: ReadonlySet<number>;
  /** RLIMIT_NOFILE that the caller had, where the engine has raised its soft limit; undefined if unchanged. */
  readonly callerNofile?: { readonly soft: number; readonly hard: number };
}
