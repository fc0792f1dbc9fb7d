// What `run` and `exec` do while their process runs in the foreground: wait, reap orphans.
import type { Libc } from "../../native-bindings/libc.ts";
import { SyscallError, TsruncError } from "../errors.ts";
import { POLLIN, type Poller } from "./poller.ts";
import { reapChild } from "./process.ts";
import type { SignalSource } from "./terminal.ts";

const PR_SET_CHILD_SUBREAPER = 36;
const P_ALL = 0;
const WNOHANG = 1;
const WEXITED = 4;
const WNOWAIT = 0x1000000;
const WALL = 0x40000000; // __WALL
const SIGINFO_SIZE = 128;
const SI_PID = 16;

/** Waits for the end of a child, whose pidfd is given, and reaps it; gives its wait status (see `exitStatus`). */
export function waitForExit(libc: Libc, poller: Poller, pid: number, pidfd: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const watch = poller.watch(pidfd, POLLIN, () => {
      watch.stop();
      const status = reapChild(libc, pid);
      if (status === undefined) reject(new TsruncError(`process ${pid} is no child of this process`));
      else resolve(status);
    });
  });
}

/** Makes orphaned descendants children of this process: for the whole process and until its end (prctl(2)). */
export function setChildSubreaper(libc: Libc): void {
  if (libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
    throw new SyscallError("", "prctl(PR_SET_CHILD_SUBREAPER, 1)", libc.errno());
}

/**
 * Reaps orphans that have become children of this process, at each SIGCHLD, until the returned function is called.
 * `pid` is left to `waitForExit`.
 */
export function reapOrphans(libc: Libc, signals: SignalSource, pid: number): () => void {
  const listener = (): void => {
    for (let child = findEnded(libc); child > 0 && child !== pid; child = findEnded(libc))
      reapChild(libc, child);
  };
  signals.on("SIGCHLD", listener);
  listener();
  return () => signals.off("SIGCHLD", listener);
}

/** Pid of a child that has ended and is not reaped; 0 if there is none. */
function findEnded(libc: Libc): number {
  const info = new Uint8Array(SIGINFO_SIZE);
  if (libc.waitid(P_ALL, 0, info, WEXITED | WNOHANG | WNOWAIT | WALL) < 0) return 0; // ECHILD
  return new DataView(info.buffer).getInt32(SI_PID, true);
}
