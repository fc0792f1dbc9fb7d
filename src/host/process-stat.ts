// What /proc says about a process that need not be a child of this one.
import { readFileSync } from "node:fs";
import { toSyscallError } from "../errors.ts";

export interface ProcessStat {
  /** Name of its program, at most 15 bytes: field 2. */
  readonly name: string;
  /** One letter, for example `Z` for a zombie: proc_pid_stat(5), field 3. */
  readonly state: string;
  /** Its controlling terminal, 0 without one: field 7. */
  readonly terminal: number;
  /** Number of threads, with a first one that has ended: field 20. */
  readonly threads: number;
  /** Time of its start in clock ticks since boot, decimal digits: field 22. */
  readonly startTime: string;
}

/** Reads /proc/PID/stat; undefined if there is no such process. Throws SyscallError where that cannot be known. */
export function readProcessStat(pid: number | "self"): ProcessStat | undefined {
  const path = `/proc/${pid}/stat`;
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ESRCH") return undefined; // ESRCH: it ends while it is read
    throw toSyscallError(error, "", `open("${path}")`);
  }
  return parseProcessStat(text);
}

/** The second field is the command's name in parentheses, and the name may hold parentheses and spaces itself. */
export function parseProcessStat(text: string): ProcessStat | undefined {
  const end = text.lastIndexOf(")");
  const name = text.slice(text.indexOf("(") + 1, end);
  const rest = text.slice(end + 2).split(" ");
  const state = rest[0];
  const startTime = rest[19]; // rest begins at field 3
  return state && startTime
    ? { name, state, terminal: Number(rest[4]), threads: Number(rest[17]), startTime }
    : undefined;
}

/** Whether a process has not ended. One whose first thread alone has ended looks like a zombie, but for its threads. */
export function isRunning({ state, threads }: ProcessStat): boolean {
  return state !== "X" && (state !== "Z" || threads > 1);
}

/** Whether the process that had this start time still runs; a zombie does not. Throws as {@link readProcessStat}. */
export function isProcessAlive(pid: number, startTime: string): boolean {
  if (pid <= 0) return false;
  const stat = readProcessStat(pid);
  return stat !== undefined && stat.startTime === startTime && isRunning(stat);
}
