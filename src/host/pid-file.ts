// The file that tells a caller the pid of the process that it asked for.
import { renameSync, unlinkSync, writeFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import type { Context } from "../context.ts";
import { toSyscallError } from "../errors.ts";

/**
 * Writes a pid, in decimal and without a newline, so that a reader finds the whole number or no file. A file that
 * is there is replaced. A relative path counts from the caller's working directory. Throws SyscallError.
 */
export function writePidFile(ctx: Context, path: string, pid: number): void {
  const target = resolve(ctx.cwd, path);
  const temporary = join(dirname(target), `.${basename(target)}.${pid}`);
  attempt(`open("${temporary}", O_WRONLY|O_CREAT|O_EXCL)`, () => {
    // What a killed tsrunc has left under this name, or somebody's symbolic link, is not written through.
    removeIfPresent(temporary);
    writeFileSync(temporary, String(pid), { flag: "wx", mode: 0o666 });
  });
  try {
    attempt(`rename("${temporary}", "${target}")`, () => renameSync(temporary, target));
  } catch (error) {
    removeIfPresent(temporary);
    throw error;
  }
}

function attempt(call: string, body: () => void): void {
  try {
    body();
  } catch (error) {
    throw toSyscallError(error, "write the pid file", call);
  }
}

function removeIfPresent(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
}
