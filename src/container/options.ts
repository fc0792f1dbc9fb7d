// What the commands that start a process are asked for. Paths may be relative to the context's `cwd`.

export interface CreateOptions {
  readonly id: string;
  readonly bundle: string;
  /** Name of the configuration in the bundle, `config.json` unless given. */
  readonly configFile: string;
  /** Socket that receives the master of the container's terminal. */
  readonly consoleSocket?: string;
  /** Socket that receives a pidfd of the container's first process. */
  readonly pidfdSocket?: string;
  readonly pidFile?: string;
  /** Move the root instead of pivoting to it. */
  readonly noPivot: boolean;
  /** Keep the caller's session keyring. */
  readonly noNewKeyring: boolean;
  /** Number of further descriptors from 3 that the container's process gets. */
  readonly preserveFds: number;
  readonly systemdCgroup: boolean;
  /** Whether to do without cgroups that cannot be made; undefined: if the caller is not the host's root. */
  readonly rootless?: boolean;
}

export interface RunOptions extends CreateOptions {
  readonly detach: boolean;
  /** Keep the container's state when its process has ended. */
  readonly keep: boolean;
  readonly noSubreaper: boolean;
}

/** A user as `--user` gives it; both parts are below 2^32 - 1. */
export interface ExecUser {
  readonly uid: number;
  readonly gid?: number | undefined;
}

export interface ExecOptions {
  readonly id: string;
  /** A file with a whole `process` object; `args` is then empty and the options below override. */
  readonly processFile?: string;
  readonly args: readonly string[];
  readonly cwd?: string;
  readonly env: readonly string[];
  readonly tty: boolean;
  readonly user?: ExecUser;
  readonly additionalGids: readonly number[];
  /** Capabilities to add to the bounding, effective and permitted sets. */
  readonly caps: readonly string[];
  readonly noNewPrivs: boolean;
  readonly consoleSocket?: string;
  readonly pidfdSocket?: string;
  readonly pidFile?: string;
  readonly detach: boolean;
  readonly preserveFds: number;
  readonly ignorePaused: boolean;
  /** `[CONTROLLER[,CONTROLLER]:]PATH` below the container's cgroup. */
  readonly cgroup: readonly string[];
  readonly processLabel?: string;
  readonly apparmor?: string;
}
