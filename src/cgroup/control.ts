// What later commands do with a container's cgroup: list, freeze, thaw, signal, remove.
import process from "node:process";
import { TsruncError, toSyscallError } from "../errors.ts";
import { isFrozen, setFreezer } from "./freezer.ts";
import { cgroupDirs, listPids, readCgroupPids } from "./processes.ts";
import { removeCgroup } from "./remove.ts";
import { thawForDeath } from "./thaw.ts";
import type { CgroupRecord } from "./types.ts";
import { isErrno, isGone, writeFile } from "./write.ts";

export { isFrozen, readCgroupPids, removeCgroup, setFreezer };

const SIGKILL = 9;
const ESRCH = 3;
const EOPNOTSUPP = 95;
/** Milliseconds: a cgroup that cannot be frozen is signalled all the same. */
const FREEZE_TIMEOUT = 500;
/** Rounds of killing a cgroup whose processes fork faster than they are killed; it could not be frozen then. */
const ROUNDS = 100;

/**
 * Sends a signal (its number, SIGKILL unless given) to every process of the container's cgroup and of those below
 * it. SIGKILL ends a frozen container too; with any other signal it stays frozen, and has the signal when it is
 * thawed (v2: a deadly one at once). Does nothing to a cgroup that is gone. Throws TsruncError, SyscallError.
 */
export function killCgroup(record: CgroupRecord, signal = SIGKILL): void {
  if (signal !== SIGKILL) {
    signalFrozen(record, signal);
    return;
  }
  const isWhole = killUnified(record);
  if (isWhole && record.mode === "v2") return;
  if (isWhole) thawForDeath(record);
  // Processes may be in the v1 hierarchies alone.
  const signalled = new Set<number>();
  for (let round = 0; round < ROUNDS; round++) {
    if (listPids(cgroupDirs(record)).every((pid) => signalled.has(pid))) return;
    for (const pid of signalFrozen(record, SIGKILL)) signalled.add(pid);
  }
}

/**
 * Waits until a process of the container's that has got SIGKILL has ended, and thaws what keeps it from that. If it
 * lives on, all others are killed too: they could freeze it anew for ever. `waitForEnd` waits for at most so many
 * milliseconds, and gives true once it has ended. False after `timeoutMs`. Throws TsruncError, SyscallError.
 */
export function awaitDeath(
  record: CgroupRecord,
  waitForEnd: (milliseconds: number) => boolean,
  timeoutMs: number,
): boolean {
  const end = performance.now() + timeoutMs;
  // Most processes are gone before there is a reason to look into cgroups below.
  if (isFrozen(record)) thawForDeath(record);
  for (let pause = 20; !waitForEnd(pause); pause = Math.min(2 * pause, 500)) {
    if (performance.now() >= end) return false;
    killCgroup(record);
  }
  return true;
}

/** Kills at one stroke by cgroup2 (Linux 5.14; also on a hybrid host); false where that cannot be done. */
function killUnified(record: CgroupRecord): boolean {
  const dir = record.paths.unified;
  if (dir === undefined) return false;
  try {
    writeFile(`${dir}/cgroup.kill`, "1", "kill the container");
    return true;
  } catch (error) {
    if (isGone(error)) return true;
    // A threaded cgroup.
    if (isErrno(error, EOPNOTSUPP)) return false;
    throw error;
  }
}

/**
 * Signals each process and gives their pids. Freezes meanwhile, so that none forks past the list, and no number goes
 * to another process.
 */
function signalFrozen(record: CgroupRecord, signal: number): readonly number[] {
  const dirs = cgroupDirs(record);
  if (listPids(dirs).includes(process.pid))
    throw new TsruncError("signal the container's processes: this process is one of them");
  const wasFrozen = isFrozen(record);
  const isStill = wasFrozen || tryFreeze(record);
  try {
    const pids = listPids(dirs);
    for (const pid of pids) sendSignal(pid, signal);
    return pids;
  } finally {
    if (signal === SIGKILL) thawForDeath(record);
    else if (isStill && !wasFrozen) setFreezer(record, false, 0);
  }
}

/** False if it cannot be frozen: signalling it as it is then is still right, if less sure to reach all at once. */
function tryFreeze(record: CgroupRecord): boolean {
  try {
    setFreezer(record, true, FREEZE_TIMEOUT);
    return true;
  } catch (error) {
    if (error instanceof TsruncError) return false;
    throw error;
  }
}

function sendSignal(pid: number, signal: number): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (isErrno(error, ESRCH)) return;
    throw toSyscallError(error, "signal the container's processes", `kill(${pid}, ${signal})`);
  }
}
