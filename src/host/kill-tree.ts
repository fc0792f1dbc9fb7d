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
 * Kills a child of ours, its process group, its session, and all processes that descend from it. A descendant that
 * has left the session and whose parent has ended cannot be told from others, and lives on.
 */
export function killTree(libc: Libc, pid: number): void {
  // It stays the parent of its children until they are found, and starts no more.
  libc.kill(pid, SIGSTOP);
  for (let round = 0; round < MOST_ROUNDS; round++) {
    const members = findTree(listProcesses(), pid);
    for (const { pid: member, startTime } of members) {
      const pidfd = openProcess(libc, member, startTime);
      if (pidfd === undefined) continue;
      sendSignal(libc, pidfd, SIGKILL);
      libc.close(pidfd);
    }
    if (members.length === 0) break;
  }
  libc.kill(pid, SIGKILL);
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
