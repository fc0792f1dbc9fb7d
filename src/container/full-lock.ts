// `delete` where nothing can be written: it is what makes room again, so it must not need any.
import { closeSync, constants, fstatSync, lstatSync, openSync } from "node:fs";
import { loadLibc } from "../../native-bindings/libc.ts";
import type { Context } from "../context.ts";
import { phrases, SyscallError, TsruncError } from "../errors.ts";
import { codeOf, describeFsError } from "./store.ts";

const LOCK_EX = 2;
const LOCK_NB = 4;
const EWOULDBLOCK = 11;
const O_CLOEXEC = 0o2000000;
const DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW | O_CLOEXEC;

/**
 * flock(2) on a container's directory: only commands that can make no lock take it, so it stands for theirs among
 * themselves, and whoever takes it looks for an owner of a real one afterwards. See {@link LockWait.whereFull}.
 * `container does not exist` if the directory has gone meanwhile. Throws TsruncError, SyscallError.
 */
export function lockDirectory(ctx: Context, dir: string): (() => void) | undefined {
  const libc = loadLibc(ctx.installDir);
  const fd = openDirectory(dir);
  try {
    if (libc.flock(fd, LOCK_EX | LOCK_NB) !== 0) {
      const errno = libc.errno();
      if (errno !== EWOULDBLOCK) throw new SyscallError("container's lock", `flock(${dir}, LOCK_EX)`, errno);
      closeSync(fd);
      return undefined;
    }
    if (lstatSync(dir, { throwIfNoEntry: false })?.ino !== fstatSync(fd).ino)
      throw new TsruncError(phrases.absent);
    return () => closeSync(fd);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

function openDirectory(dir: string): number {
  try {
    return openSync(dir, DIRECTORY);
  } catch (error) {
    if (codeOf(error) === "ENOENT") throw new TsruncError(phrases.absent);
    throw describeFsError("container's lock", error);
  }
}
