// Tells of processes of a cgroup that the kernel kills for want of memory (kernel: cgroup-v1/memory.rst "OOM Control",
// cgroup-v2.rst memory.events).
import { closeSync, constants, openSync, readSync } from "node:fs";
import type { Libc } from "../../native-bindings/libc.ts";
import { parseCounters } from "../cgroup/stats-text.ts";
import type { CgroupRecord } from "../cgroup/types.ts";
import { isGone, writeFile } from "../cgroup/write.ts";
import { SyscallError, TsruncError, toSyscallError } from "../errors.ts";
import { closeFd } from "./fd.ts";
import { POLLIN } from "./poller.ts";

const INTENT = "watch for out-of-memory kills";
const O_CLOEXEC = 0o2000000;
const EFD_FLAGS = 0o2000000 | 0o4000; // EFD_CLOEXEC|EFD_NONBLOCK
const POLLPRI = 2;

export interface OomWatch {
  /** To be polled for `events`; `take` then tells whether it was for a kill. */
  readonly fd: number;
  readonly events: number;
  /** Whether a process was killed since the last call. */
  readonly take: () => boolean;
  readonly close: () => void;
}

/** Throws SyscallError, and TsruncError for a cgroup without the memory controller. */
export function openOomWatch(libc: Libc, record: CgroupRecord): OomWatch {
  if (record.mode === "v2") return watchEvents(`${record.paths.unified}/memory.events`);
  const dir = record.paths.memory;
  if (dir === undefined) throw new TsruncError(`${INTENT}: there is no memory controller`);
  return watchOomControl(libc, dir);
}

/** The file becomes ready (POLLPRI) when one of its counters has changed since it was read. */
function watchEvents(path: string): OomWatch {
  const fd = openFile(path);
  let seen = countKills(fd, path) ?? 0n;
  return {
    fd,
    events: POLLPRI,
    take: () => {
      const count = countKills(fd, path) ?? seen;
      const hasMore = count > seen;
      seen = count;
      return hasMore;
    },
    close: () => closeSync(fd),
  };
}

/** Undefined for a cgroup that is gone. */
function countKills(fd: number, path: string): bigint | undefined {
  const bytes = Buffer.alloc(4096);
  try {
    const length = readSync(fd, bytes, 0, bytes.length, 0);
    return parseCounters("memory.events", bytes.toString("utf8", 0, length)).get("oom_kill") ?? 0n;
  } catch (error) {
    if (isGone(error)) return undefined;
    throw toSyscallError(error, INTENT, `read ${path}`);
  }
}

/** The kernel adds one to an eventfd each time that the cgroup is out of memory, and once when the cgroup goes. */
function watchOomControl(libc: Libc, dir: string): OomWatch {
  const control = openFile(`${dir}/memory.oom_control`);
  const fd = libc.eventfd(0, EFD_FLAGS);
  const close = (): void => {
    if (fd >= 0) closeFd(libc, fd);
    closeSync(control);
  };
  try {
    if (fd < 0) throw new SyscallError(INTENT, "eventfd(0, EFD_CLOEXEC|EFD_NONBLOCK)", libc.errno());
    writeFile(`${dir}/cgroup.event_control`, `${fd} ${control}`, INTENT);
  } catch (error) {
    close();
    throw error;
  }
  return {
    fd,
    events: POLLIN,
    take: () => {
      const count = new BigUint64Array(1);
      if (libc.read(fd, new Uint8Array(count.buffer), 8) !== 8) return false; // EAGAIN: nothing new
      return (count[0] as bigint) > (isRemoved(control) ? 1n : 0n);
    },
    close,
  };
}

function isRemoved(control: number): boolean {
  try {
    readSync(control, Buffer.alloc(1), 0, 1, 0);
    return false;
  } catch (error) {
    if (isGone(error)) return true;
    throw toSyscallError(error, INTENT, "read memory.oom_control");
  }
}

function openFile(path: string): number {
  try {
    return openSync(path, constants.O_RDONLY | O_CLOEXEC);
  } catch (error) {
    throw toSyscallError(error, INTENT, `open ${path}`);
  }
}
