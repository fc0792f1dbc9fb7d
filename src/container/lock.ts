// One change of a container at a time, also between processes: a lock in the container's directory.
//
// The lock is a directory ROOT/ID/lock with one entry named after its owner (pid, start time, pid namespace). It is
// made beside and renamed into place, which fails while the place is taken by a directory that is not empty. So
// the owner is known from the first moment; a lock is never older than its owner's entry; and the lock of a dead
// owner is taken over by unlinking that entry, whose name no later owner has. proper-lockfile holds the lock; its
// own rule, by age, would take it from a living owner who waits for a hook.
import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmdirSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { lockSync } from "proper-lockfile";
import type { Context } from "../context.ts";
import { phrases, TsruncError } from "../errors.ts";
import { isProcessAlive, readProcessStat } from "../host/process-stat.ts";
import { containerPaths } from "./record.ts";
import { codeOf, createContainerDir, describeFsError, hasContainerDir, hasRecord } from "./store.ts";

type Rooted = Pick<Context, "root">;

/** How long a command waits for another one that works on the same container, in milliseconds. */
const WAIT_MS = 10_000;
const POLL_MS = 10;
/** How long the lock of a process that cannot be seen from here is respected. */
const FOREIGN_MS = 60_000;
/** Age at which proper-lockfile would take a lock over: never within the life of a command. */
const NEVER_STALE_MS = 1_000_000_000;

/** Errors of a file system that takes nothing more, or nothing at all. */
const UNWRITABLE: ReadonlySet<string> = new Set(["ENOSPC", "EDQUOT", "EROFS"]);

/** The process that holds a lock. */
export interface LockHolder {
  readonly pid: number;
  /** See process-stat.ts; of a process in another pid namespace it means nothing here. */
  readonly startTime: string;
  readonly isForeign: boolean;
}

export interface LockWait {
  /** How long to wait for the lock, in milliseconds. */
  readonly waitMs?: number;
  /** Called again and again while another command holds it, with how long that has been so. */
  readonly whileHeld?: (holder: LockHolder, waitedMs: number) => void;
  /**
   * Where nothing can be written, and so no lock be made, takes the place of one: gives its release, or undefined while
   * another command holds it. An error without.
   */
  readonly whereFull?: ((dir: string) => (() => void) | undefined) | undefined;
}

/** Runs `action` while no other command changes the container; its directory must exist. */
export async function withContainerLock<T>(
  ctx: Rooted,
  id: string,
  action: () => Promise<T> | T,
  wait: LockWait = {},
): Promise<T> {
  if (!hasContainerDir(ctx, id)) throw new TsruncError(phrases.absent);
  const release = await acquireLock(containerPaths(ctx.root, id).dir, id, wait);
  try {
    return await action();
  } finally {
    release();
  }
}

/**
 * Makes the directory of a new container and runs `action` under its lock. `container with given ID already
 * exists` if there is one. What `action` leaves behind an error is its own business.
 */
export async function withNewContainer<T>(ctx: Rooted, id: string, action: () => Promise<T> | T): Promise<T> {
  const dir = createContainerDir(ctx, id);
  let isLocked = false;
  try {
    return await withContainerLock(ctx, id, () => {
      isLocked = true;
      // Between the two steps `delete --force` may remove the directory, and another `create` make its own and be first.
      // What the directory is cannot tell: its number may be the same. A directory without a record is whose the lock is.
      if (hasRecord(ctx, id)) throw new TsruncError(phrases.exists);
      return action();
    });
  } catch (error) {
    // No room for the lock, for one: nothing is in the directory but perhaps another command's bid for it.
    if (!isLocked) removeIfThere(() => rmdirSync(dir), "ENOTEMPTY");
    throw error;
  }
}

async function acquireLock(
  dir: string,
  id: string,
  { waitMs = WAIT_MS, whileHeld, whereFull }: LockWait,
): Promise<() => void> {
  const place = `${dir}/lock`;
  const owner = describeOwner();
  const options = {
    realpath: false,
    lockfilePath: place,
    stale: NEVER_STALE_MS,
    onCompromised: () => {}, // only its timer calls this, for a lock that `delete` has removed
    fs: lockFiles(dir, owner),
  };
  const began = Date.now();
  for (;;) {
    let isFull = false;
    try {
      return lockSync(dir, options);
    } catch (error) {
      const code = codeOf(error) ?? "";
      if (code === "ENOENT") throw new TsruncError(phrases.absent);
      isFull = whereFull !== undefined && UNWRITABLE.has(code);
      if (code !== "ELOCKED" && !isFull) throw describeFsError("container's lock", error);
    }
    const release = isFull ? whereFull?.(dir) : undefined;
    const holder = findLiveOwner(place);
    if (release !== undefined && holder === undefined) return release;
    release?.();
    if (holder === undefined && !isFull) continue;
    const waitedMs = Date.now() - began;
    if (waitedMs >= waitMs)
      throw new TsruncError(
        `container ${id} is in use by another command${holder ? ` (process ${holder.pid})` : ""}`,
      );
    if (holder !== undefined) whileHeld?.(holder, waitedMs);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** The calls that proper-lockfile makes, on a lock that carries its owner's name. */
function lockFiles(dir: string, owner: string): object {
  return {
    mkdirSync(place: string): void {
      const bid = `${dir}/lock.${owner}`;
      mkdirSync(bid, { recursive: false, mode: 0o700 });
      try {
        writeFileSync(`${bid}/${owner}`, "", { mode: 0o600 });
        renameSync(bid, place);
      } catch (error) {
        removeIfThere(() => unlinkSync(`${bid}/${owner}`));
        removeIfThere(() => rmdirSync(bid));
        const taken = codeOf(error) === "ENOTEMPTY" || codeOf(error) === "EEXIST";
        throw taken ? Object.assign(new Error("the lock is taken"), { code: "EEXIST" }) : error;
      }
    },
    rmdirSync(place: string): void {
      try {
        unlinkSync(`${place}/${owner}`);
        rmdirSync(place);
      } catch (error) {
        // The container was deleted, or the next owner came between the two calls.
        const code = codeOf(error);
        if (code !== "ENOENT" && code !== "ENOTEMPTY") throw error;
      }
    },
    statSync: (place: string) => lstatSync(place),
    utimesSync: () => {},
  };
}

/** The process that holds a lock; takes the lock off a dead one. Undefined if nobody holds it (any more). */
function findLiveOwner(place: string): LockHolder | undefined {
  let names: string[];
  try {
    names = readdirSync(place);
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw describeFsError("container's lock", error);
  }
  for (const name of names) {
    const entry = `${place}/${name}`;
    const [pid, startTime = "", namespace] = name.split("-");
    const holder = { pid: Number(pid), startTime, isForeign: namespace !== pidNamespace() };
    if (isHolderAlive(entry, holder)) return holder;
    try {
      unlinkSync(entry);
    } catch (error) {
      const code = codeOf(error);
      // Read-only: a dead owner's lock stays, and counts for nothing.
      if (code !== "ENOENT" && code !== "EROFS") throw describeFsError("container's lock", error);
    }
  }
  return undefined;
}

/** Another command may have removed the container meanwhile. `tolerated`: the code of one more error that may be. */
function removeIfThere(remove: () => void, tolerated?: string): void {
  try {
    remove();
  } catch (error) {
    const code = codeOf(error);
    if (code !== "ENOENT" && code !== tolerated) throw error;
  }
}

/** Nothing is known about a process of another pid namespace: its lock is respected for a time. */
function isHolderAlive(entry: string, { pid, startTime, isForeign }: LockHolder): boolean {
  if (!isForeign) return isProcessAlive(pid, startTime);
  const made = lstatSync(entry, { throwIfNoEntry: false })?.mtimeMs;
  return made !== undefined && made > Date.now() - FOREIGN_MS;
}

let ownName: string | undefined;

/** `PID-STARTTIME-PIDNAMESPACE` of this process; none of them ever changes. */
function describeOwner(): string {
  ownName ??= `${process.pid}-${readProcessStat("self")?.startTime ?? "0"}-${pidNamespace()}`;
  return ownName;
}

/** Inode number of this process's pid namespace. */
function pidNamespace(): string {
  return readlinkSync("/proc/self/ns/pid").replace(/[^0-9]/g, "");
}
