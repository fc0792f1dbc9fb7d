// Ending a process with everything that it has started, as far as /proc tells.
import { readdirSync, readFileSync } from "node:fs";
import type { Libc } from "../../native-bindings/libc.ts";
import { SIGKILL } from "../linux/signals.ts";
import { isRunning, parseProcessStat } from "./process-stat.ts";
import { openProcess, sendSignal } from "./signal.ts";

const SIGSTOP = 19;
/** A process that forks faster than it is found is not chased for ever. */
const MOST_ROUNDS = 20;

interface Found {
  readonly pid: number;
  readonly parent: number;
  readonly group: number;
  readonly session: number;
  readonly startTime: string;
}

/**
 * Pids of a process and of those that descend from it or are in its process group or session, ascending. See
 * {@link killTree} for what may be missing.
 */
export function listTree(pid: number): readonly number[] {
  const members = findTree(listProcesses(), pid).map((member) => member.pid);
  return [pid, ...members].sort((a, b) => a - b);
}

/** Sends a signal to all processes of {@link listTree}, SIGKILL also to those that come meanwhile; false if the first has ended. */
export function signalTree(
  libc: Libc,
  { pid, startTime }: Pick<Found, "pid" | "startTime">,
  signal: number,
): boolean {
  const pidfd = openProcess(libc, pid, startTime);
  if (pidfd === undefined) return false;
  const signalRoot = (one: number): boolean => sendSignal(libc, pidfd, one);
  try {
    if (signal === SIGKILL) return endTree(libc, pid, signalRoot);
    const members = findTree(listProcesses(), pid);
    if (!signalRoot(signal)) return false;
    for (const member of members) signalMember(libc, member, signal);
    return true;
  } finally {
    libc.close(pidfd);
  }
}

/**
 * Kills a child of ours, its process group, its session, and all processes that descend from it. A descendant that
 * has left the session and whose parent has ended cannot be told from others, and lives on.
 */
export function killTree(libc: Libc, pid: number): void {
  endTree(libc, pid, (signal) => libc.kill(pid, signal) === 0);
}

/** False if the root has ended before. */
function endTree(libc: Libc, pid: number, signalRoot: (signal: number) => boolean): boolean {
  // It stays the parent of its children until they are found, and starts no more.
  signalRoot(SIGSTOP);
  for (let round = 0; round < MOST_ROUNDS; round++) {
    const members = findTree(listProcesses(), pid);
    for (const member of members) signalMember(libc, member, SIGKILL);
    if (members.length === 0) break;
  }
  return signalRoot(SIGKILL);
}

function signalMember(libc: Libc, { pid, startTime }: Found, signal: number): void {
  const pidfd = openProcess(libc, pid, startTime);
  if (pidfd === undefined) return;
  try {
    sendSignal(libc, pidfd, signal);
  } finally {
    libc.close(pidfd);
  }
}

/** Members of the tree without its root. */
function findTree(processes: readonly Found[], root: number): Found[] {
  const isMember = new Set([root]);
  const members: Found[] = [];
  for (let grown = true; grown; ) {
    grown = false;
    for (const found of processes) {
      if (isMember.has(found.pid)) continue;
      if (found.session !== root && found.group !== root && !isMember.has(found.parent)) continue;
      isMember.add(found.pid);
      members.push(found);
      grown = true;
    }
  }
  return members;
}

function listProcesses(): Found[] {
  const processes: Found[] = [];
  for (const name of readdirSync("/proc")) {
    if (!/^[0-9]+$/.test(name)) continue;
    let text: string;
    try {
      text = readFileSync(`/proc/${name}/stat`, "utf8");
    } catch {
      continue; // it has ended
    }
    const stat = parseProcessStat(text);
    if (stat === undefined || !isRunning(stat)) continue;
    // proc_pid_stat(5): after the command's name come state, parent, process group, session.
    const [, parent, group, session] = text.slice(text.lastIndexOf(")") + 2).split(" ");
    processes.push({
      pid: Number(name),
      parent: Number(parent),
      group: Number(group),
      session: Number(session),
      startTime: stat.startTime,
    });
  }
  return processes;
}
