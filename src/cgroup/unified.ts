// linux.resources.unified: files of the container's cgroup v2, and what to write to them.
import { TsruncError } from "../errors.ts";
import type { CgroupWrite } from "./types.ts";

const UNIFIED = "linux.resources.unified";

/**
 * One write for each line, as files with a line for each device want it; an empty value asks for nothing. Throws
 * TsruncError for a key that is not the name of a file in the cgroup.
 */
export function planUnified(files: Readonly<Record<string, string>> = {}): readonly CgroupWrite[] {
  return Object.entries(files).flatMap(([file, text]) => {
    const why = `${UNIFIED}[${JSON.stringify(file)}]`;
    if (file === "" || file === "." || file === ".." || file.includes("/"))
      throw new TsruncError(`${why}: is not the name of a file in the cgroup`);
    const lines = text.split("\n").filter((line) => line.trim() !== "");
    // The members of an object have no order: one value may fit only after another (cpu.max.burst, cpu.max).
    return lines.map((value) => ({ hierarchy: "unified", file, value, why, ifInvalid: "retry last" }));
  });
}

/** v1 has no such files. Throws TsruncError. */
export function refuseUnifiedV1(files: Readonly<Record<string, string>> = {}): void {
  if (Object.keys(files).length > 0) throw new TsruncError(`${UNIFIED}: cannot use unified on cgroup v1`);
}
