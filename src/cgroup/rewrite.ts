// Changes the resources of a living container: all of them, or none.
import { messageOf, TsruncError } from "../errors.ts";
import type { CgroupRecord, CgroupWrite } from "./types.ts";
import { isErrno, readIfThere, writeResources } from "./write.ts";

const EPERM = 1;
const EACCES = 13;
const EINVAL = 22;

/** What lifts a device's limit, for files with a line for each device that has one. */
const LIFTS: readonly (readonly [prefix: string, value: string])[] = [
  ["io.max", "rbps=max wbps=max riops=max wiops=max"],
  ["io.weight", "default"],
  ["io.bfq.weight", "default"],
  ["blkio.throttle.", "0"],
];
/** An idle group has the least weight, and the end of idleness sets the default one (`sched_group_set_idle`). */
const IDLE = "cpu.idle";
const WEIGHTS = ["cpu.shares", "cpu.weight"];

/** Files as they were, by path; undefined for one that can only be written. A file that is not there is missing. */
type Texts = ReadonlyMap<string, string | undefined>;

/**
 * Writes as {@link writeResources}, then calls `andThen`; after an error of either the files that were written have
 * again what they had. What cannot be set back is told in the error. `andThen` writes with the function that it is
 * given. Throws TsruncError, SyscallError.
 */
export function rewriteResources(
  record: CgroupRecord,
  writes: readonly CgroupWrite[],
  andThen: (rewrite: () => void) => void = () => {},
): void {
  const before = readAll(record, writes);
  const done: CgroupWrite[] = [];
  const write = (): void => writeResources(record, writes, (one) => done.push(one));
  try {
    write();
    andThen(write);
  } catch (error) {
    const problems = setBack(record, before, done);
    if (problems.length === 0) throw error;
    throw new TsruncError(`${messageOf(error)}; and back: ${problems.join("; ")}`, { cause: error });
  }
}

function pathOf(
  { paths }: CgroupRecord,
  { hierarchy, file }: Pick<CgroupWrite, "hierarchy" | "file">,
): string {
  return `${paths[hierarchy]}/${file}`;
}

/** All files that the writes may change. */
function readAll(record: CgroupRecord, writes: readonly CgroupWrite[]): Texts {
  const texts = new Map<string, string | undefined>();
  for (const { hierarchy, file, ifMissing } of writes) {
    if (record.paths[hierarchy] === undefined) continue;
    const other = typeof ifMissing === "object" ? [ifMissing.file] : [];
    const shared = file === IDLE || WEIGHTS.includes(file) ? [IDLE, ...WEIGHTS] : [];
    for (const name of new Set([file, ...other, ...shared])) {
      const path = pathOf(record, { hierarchy, file: name });
      try {
        const text = readIfThere(path);
        if (text !== undefined) texts.set(path, text.trim());
      } catch (error) {
        // Such as cgroup.kill: the kernel's answer to root is EINVAL.
        if (![EINVAL, EACCES, EPERM].some((errno) => isErrno(error, errno))) throw error;
        texts.set(path, undefined);
      }
    }
  }
  return texts;
}

/** Sets back what was written, as far as that is possible; gives what is not, as texts of errors. */
function setBack(record: CgroupRecord, before: Texts, done: readonly CgroupWrite[]): readonly string[] {
  const problems = new Set<string>();
  let left: CgroupWrite[] = [];
  for (const write of [...done].reverse().flatMap((one) => withWeights(record, before, one))) {
    const { hierarchy, file, why } = write;
    const text = before.get(pathOf(record, write));
    const value = text === undefined ? undefined : findValue(file, text, write.value);
    // Nothing is written by a write of no byte, and a line's end alone empties a file.
    if (value !== undefined) left.push({ hierarchy, file, value: value || "\n", why });
    else problems.add(`${why}: what ${file} had before is not known`);
  }
  // The kernel checks some values against others. An order in which all were valid is found by trying.
  for (;;) {
    const errors = new Map<CgroupWrite, string>();
    for (const write of left) {
      try {
        writeResources(record, [write]);
      } catch (error) {
        errors.set(write, messageOf(error));
      }
    }
    if (errors.size === 0 || errors.size === left.length) return [...problems, ...new Set(errors.values())];
    left = [...errors.keys()];
  }
}

/** The write, and those whose values the kernel has changed with it; none for a value that goes with another one. */
function withWeights(record: CgroupRecord, before: Texts, write: CgroupWrite): readonly CgroupWrite[] {
  const { hierarchy, file } = write;
  const wasIdle = before.get(pathOf(record, { hierarchy, file: IDLE })) === "1";
  if (WEIGHTS.includes(file)) return wasIdle ? [] : [write];
  if (file !== IDLE || wasIdle) return [write];
  const weights = WEIGHTS.map((name) => ({ ...write, file: name }));
  return [write, ...weights.filter((one) => before.has(pathOf(record, one)))];
}

function findValue(file: string, text: string, written: string): string | undefined {
  if (file === "memory.oom_control") return /oom_kill_disable (\d)/.exec(text)?.[1];
  const lines = text.split("\n");
  const [key = "", value] = written.trim().split(/\s+/, 2);
  // One value, not one for each device or interface.
  if (value === undefined || file === "cpu.max") {
    const [line = ""] = lines;
    return line.replace(/^default /, "");
  }
  const lift = LIFTS.find(([prefix]) => file.startsWith(prefix))?.[1];
  return lines.find((line) => line.startsWith(`${key} `)) ?? (lift && `${key} ${lift}`);
}
