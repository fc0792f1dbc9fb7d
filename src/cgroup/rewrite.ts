// Changes the resources of a living container: all of them, or none.
import { messageOf, TsruncError } from "../errors.ts";
import type { CgroupRecord, CgroupWrite } from "./types.ts";
import { readIfThere, writeResources } from "./write.ts";

/** What lifts a device's limit, for files with a line for each device that has one. */
const LIFTS: readonly (readonly [prefix: string, value: string])[] = [
  ["io.max", "rbps=max wbps=max riops=max wiops=max"],
  ["blkio.throttle.", "0"],
];

/**
 * Writes as {@link writeResources}; after an error the files have again what they had. What cannot be set back is
 * told in the error. `andThen` belongs to it: so they have after an error of its. Throws TsruncError, SyscallError.
 */
export function rewriteResources(
  record: CgroupRecord,
  writes: readonly CgroupWrite[],
  andThen?: () => void,
): void {
  const before = writes.flatMap((write) => {
    const other = typeof write.ifMissing === "object" ? [{ ...write, ...write.ifMissing }] : [];
    return [write, ...other].flatMap((one) => invert(record, one));
  });
  try {
    writeResources(record, writes);
    andThen?.();
  } catch (error) {
    try {
      writeResources(record, before.reverse());
    } catch (undoError) {
      const problem = `${messageOf(error)}; and back: ${messageOf(undoError)}`;
      throw new TsruncError(problem, { cause: error });
    }
    throw error;
  }
}

/** The write that brings back what a file has now; none if there is no such file. */
function invert(record: CgroupRecord, write: CgroupWrite): CgroupWrite[] {
  const { hierarchy, file, why } = write;
  const dir = record.paths[hierarchy];
  const text = dir === undefined ? undefined : readIfThere(`${dir}/${file}`);
  if (text === undefined) return [];
  const value = findValue(file, text.trim(), write.value);
  // An order in which all were valid before is found by trying.
  return value === undefined ? [] : [{ hierarchy, file, value, why, ifInvalid: "retry last" }];
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
