// The one place that writes resources into a cgroup's files, and the small reads and writes that go with it.
import { closeSync, constants, openSync, readFileSync, writeSync } from "node:fs";
import { errnoOf, SyscallError, TsruncError, toSyscallError } from "../errors.ts";
import type { CgroupRecord, CgroupWrite } from "./types.ts";

const ENOENT = 2;
const EBUSY = 16;
const EINVAL = 22;
const O_CLOEXEC = 0o2000000;
const WRITE_FLAGS = constants.O_WRONLY | constants.O_NOFOLLOW | O_CLOEXEC;

/**
 * Writes values into the files of a container's cgroup, in their order, each with one write(2) as the kernel wants
 * it. `tell` is told of each that was carried out, as it was. Throws SyscallError: `linux.resources.memory.limit: write
 * "1" to memory.max: invalid argument`, and TsruncError for a limit that is refused before anything is written.
 */
export function writeResources(
  record: CgroupRecord,
  writes: readonly CgroupWrite[],
  tell: (write: CgroupWrite) => void = () => {},
): void {
  const open = new Map<string, number>();
  const again: CgroupWrite[] = [];
  for (const write of writes) checkUsage(record, write);
  try {
    for (const write of writes) {
      try {
        writeOne(record, write, open, tell);
      } catch (error) {
        if (write.ifInvalid !== "retry last" || !isErrno(error, EINVAL)) throw error;
        again.push(write);
      }
    }
    for (const write of again) writeOne(record, write, open, tell);
  } finally {
    for (const fd of open.values()) closeSync(fd);
  }
}

/** `open`: descriptors by path, since the device rules all go into one or two files. */
function writeOne(
  record: CgroupRecord,
  write: CgroupWrite,
  open: Map<string, number>,
  tell: (write: CgroupWrite) => void,
): void {
  const { hierarchy, file, value, why } = write;
  const dir = record.paths[hierarchy];
  const call = `write ${JSON.stringify(value)} to ${file}`;
  if (dir === undefined && write.ifMissing === "skip") return;
  if (dir === undefined) throw new SyscallError(why, call, ENOENT, `there is no ${hierarchy} controller`);
  const path = `${dir}/${file}`;
  try {
    let fd = open.get(path);
    if (fd === undefined) {
      fd = openSync(path, WRITE_FLAGS);
      open.set(path, fd);
    }
    writeSync(fd, value);
  } catch (error) {
    const errno = errnoOf(error);
    const { ifMissing, ...rest } = write;
    if (errno === ENOENT && ifMissing === "skip") return;
    if (errno === ENOENT && typeof ifMissing === "object")
      writeOne(record, { ...rest, ...ifMissing }, open, tell);
    else throw new SyscallError(why, call, errno, explain(dir, write, errno));
    return;
  }
  tell(write);
}

/** Throws TsruncError, in runc's words, for a limit that the cgroup's usage is above. */
function checkUsage(record: CgroupRecord, { hierarchy, why, mustExceed }: CgroupWrite): void {
  if (mustExceed === undefined) return;
  const text = readIfThere(`${record.paths[hierarchy]}/${mustExceed.file}`);
  if (text === undefined || mustExceed.amount > BigInt(text.trim())) return;
  throw new TsruncError(`${why}: rejecting memory limit ${mustExceed.amount} <= usage ${text.trim()}`);
}

/** What the errno alone does not tell. */
function explain(dir: string, write: CgroupWrite, errno: number): string | undefined {
  if (errno === ENOENT) return explainMissing(dir, write);
  // v1: the usage is above the new limit, and cannot be brought below it.
  const usage =
    errno === EBUSY && write.hierarchy === "memory" && readIfThere(`${dir}/memory.usage_in_bytes`);
  return usage ? `current usage: ${usage.trim()}` : undefined;
}

/** On v2 a controller may be absent, or not handed down to this cgroup. */
function explainMissing(dir: string, { hierarchy, file }: CgroupWrite): string | undefined {
  if (hierarchy !== "unified") return undefined;
  const controller = file.split(".", 1)[0] ?? "";
  if (controller === "cgroup") return undefined;
  const available = readIfThere(`${dir}/cgroup.controllers`)?.trim().split(" ") ?? [];
  return available.includes(controller) ? undefined : `the ${controller} controller is not available here`;
}

/** Writes one value to one file of a cgroup. Throws SyscallError. */
export function writeFile(path: string, value: string, intent: string): void {
  try {
    const fd = openSync(path, WRITE_FLAGS);
    try {
      writeSync(fd, value);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    throw toSyscallError(error, intent, `write ${JSON.stringify(value)} to ${path}`);
  }
}

/** The content of a cgroup's file; undefined if the file or the cgroup is gone. */
export function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (isGone(error)) return undefined;
    throw toSyscallError(error, "", `read ${path}`);
  }
}

/** ENOENT, or ENODEV: the cgroup went away between open and read. */
export function isGone(error: unknown): boolean {
  return isErrno(error, ENOENT) || isErrno(error, 19);
}

export function isErrno(error: unknown, errno: number): boolean {
  return error instanceof Error && errnoOf(error) === errno;
}
