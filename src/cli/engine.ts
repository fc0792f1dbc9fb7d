// What the engine has changed in this process before the first line of tsrunc ran: measured with Bun 1.4, which
// opens an epoll instance and an eventfd, marks every descriptor ≥ 4 close-on-exec, and raises the soft limit of
// open files to the hard one.
import { readdirSync, readFileSync, readlinkSync } from "node:fs";

/**
 * Descriptors ≥ 3 that the caller passed, ascending. Must be called before anything of tsrunc opens one. The flag
 * FD_CLOEXEC no longer tells them; so the engine's own are left out: the epoll instance and the eventfds in it.
 */
export function listInheritedFds(): number[] {
  const links = new Map<number, string>();
  for (const name of readdirSync("/proc/self/fd")) {
    const target = readLink(`/proc/self/fd/${name}`);
    if (target !== undefined && Number(name) >= 3) links.set(Number(name), target);
  }
  for (const [fd, target] of [...links]) {
    if (target !== "anon_inode:[eventpoll]") continue;
    links.delete(fd);
    for (const [, watched] of readFileSync(`/proc/self/fdinfo/${fd}`, "utf8").matchAll(/^tfd: +(\d+)/gm)) {
      if (links.get(Number(watched)) === "anon_inode:[eventfd]") links.delete(Number(watched));
    }
  }
  return [...links.keys()].sort((a, b) => a - b);
}

/** Undefined for the descriptor of the listing itself, which is closed by now. */
function readLink(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}

/**
 * Limit of open files that the caller had, if the engine may have raised it: that of the parent, where it has
 * the same hard limit.
 */
export function guessCallerNofile(parentPid: number): { soft: number; hard: number } | undefined {
  const own = readNofile("self");
  const parent = readNofile(String(parentPid));
  if (own === undefined || parent === undefined) return undefined;
  if (own.soft !== own.hard || parent.hard !== own.hard || parent.soft === own.soft) return undefined;
  return parent;
}

function readNofile(process: string): { soft: number; hard: number } | undefined {
  let text: string;
  try {
    text = readFileSync(`/proc/${process}/limits`, "utf8");
  } catch {
    return undefined; // another user's process, or none
  }
  const match = /^Max open files +(\S+) +(\S+)/m.exec(text);
  if (!match) return undefined;
  const parse = (word: string | undefined): number =>
    word === "unlimited" ? Number.POSITIVE_INFINITY : Number(word);
  return { soft: parse(match[1]), hard: parse(match[2]) };
}

/**
 * Signals that are ignored in this process (proc_pid_status(5), SigIgn), which it has inherited. One that
 * this process handles by now is not among them.
 */
export function findIgnoredSignals(): ReadonlySet<number> {
  const [, hex = "0"] = /^SigIgn:\s*([0-9a-f]+)$/m.exec(readFileSync("/proc/self/status", "utf8")) ?? [];
  const mask = BigInt(`0x${hex}`);
  const ignored = new Set<number>();
  for (let left = mask, signal = 1; left !== 0n; left >>= 1n, signal++) if (left & 1n) ignored.add(signal);
  return ignored;
}
