// The only place that words errors. A message has up to three layers in one line: the intent (with the config
// path that asked for it), the call with its arguments, and the errno's text.
import { errnoText } from "./linux/errno.ts";

/** An error that is told to the user as it stands. Everything else that is thrown is a bug of tsrunc. */
export class TsruncError extends Error {
  override readonly name: string = "TsruncError";
}

/** A flag or argument that cannot be used: reported with the command's usage. Exit status 1 (255 for exec). */
export class UsageError extends TsruncError {
  override readonly name = "UsageError";
}

/** One thing that is wrong with a JSON document. `path` is written as in `mounts[3].options[0]`. */
export interface Problem {
  readonly path: string;
  readonly message: string;
}

/** A JSON document (config.json, a process file, resources) that cannot be used: lists every problem. */
export class ConfigError extends TsruncError {
  override readonly name = "ConfigError";
  readonly problems: readonly Problem[];

  constructor(document: string, problems: readonly Problem[]) {
    const lines = problems.map((p) => (p.path === "" ? p.message : `${p.path}: ${p.message}`));
    super(`${document}: ${lines.join("; ")}`);
    this.problems = problems;
  }
}

/** A system call that failed. `call` is the call as strace would print it, without its result. */
export class SyscallError extends TsruncError {
  override readonly name = "SyscallError";
  readonly errno: number;
  readonly call: string;

  constructor(intent: string, call: string, errno: number, hint?: string) {
    super(`${intent === "" ? "" : `${intent}: `}${call}: ${errnoText(errno)}${hint ? ` (${hint})` : ""}`);
    this.errno = errno;
    this.call = call;
  }
}

/** An error of node:fs as the failed call that it is. Rethrows any other error. */
export function toSyscallError(error: unknown, intent: string, call: string, hint?: string): SyscallError {
  return error instanceof SyscallError ? error : new SyscallError(intent, call, errnoOf(error), hint);
}

/** The kernel's error number of a SyscallError or of an error of node:fs. Rethrows any other error. */
export function errnoOf(error: unknown): number {
  if (error instanceof Error && "errno" in error && typeof error.errno === "number")
    return Math.abs(error.errno);
  throw error;
}

/** Phrases that containerd, Podman, Docker and CRI-O match in a runtime's error. Never change their wording. */
export const phrases = {
  absent: "container does not exist",
  notRunning: "container not running",
  notPaused: "container not paused",
  exists: "container with given ID already exists",
  invalidId: "invalid container ID format",
  startRunning: "cannot start an already running container",
  startPaused: "cannot start a container in the paused state",
  startStopped: "cannot start a container that has stopped",
  execPaused: "cannot exec in a paused container (use --ignore-paused to override)",
  execStopped: "cannot exec in a stopped container",
  commandMissing: (name: string) => `exec: ${JSON.stringify(name)}: executable file not found in $PATH`,
  statFailed: (path: string) => `exec: ${JSON.stringify(path)}: stat ${path}`,
  // What execve(2) says of one (EACCES) is told too: Docker before 23 knows nothing else, and ends with 125 instead of 126.
  isDirectory: (path: string) => `exec: ${JSON.stringify(path)}: is a directory: permission denied`,
  notExecutable: (path: string) => `exec: ${JSON.stringify(path)}: permission denied`,
  deleteAlive: (id: string, status: string) => `cannot delete container ${id} that is not stopped: ${status}`,
} as const;

/** The text of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
