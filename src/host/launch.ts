// Starts init: posix_spawn of a sealed memfd, with one end of a socket pair to talk over. Nothing of the engine
// (its executable, its memory, its descriptors) reaches init.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Libc, loadLibc } from "../../native-bindings/libc.ts";
import type { Context } from "../context.ts";
import { SyscallError, toSyscallError } from "../errors.ts";
import { closeFd } from "./fd.ts";
import { openSocketPair } from "./unix-socket.ts";

const MFD_CLOEXEC = 1;
const MFD_ALLOW_SEALING = 2;
const MFD_EXEC = 0x10; // Linux 6.3
const F_ADD_SEALS = 1033;
const SEALS = 0b1111; // seal, shrink, grow, write
const EINVAL = 22;

/** A running init, seen from the host. */
export interface Launched {
  readonly libc: Libc;
  /** Pid of init before its fork, a child of this process. */
  readonly launcherPid: number;
  /** The host's end of the socket pair. */
  readonly socket: number;
  /** The number that init's end has in init. */
  readonly initSocket: number;
}

export interface LaunchOptions {
  /** Descriptors that become init's 0, 1 and 2. */
  readonly stdio: readonly [number, number, number];
  /** Further descriptors that init gets under the numbers that they have here. */
  readonly pass: readonly number[];
}

/**
 * Spawns init. It waits for batches on its socket, and ends when the host's end is closed.
 * Throws SyscallError.
 */
export function launchInit(ctx: Context, options: LaunchOptions): Launched {
  const libc = loadLibc(ctx.installDir);
  const executable = openExecutable(ctx, libc);
  try {
    const [socket, initSocket] = openSocketPair(libc, "start init");
    try {
      const launcherPid = spawn(libc, executable, initSocket, options);
      return { libc, launcherPid, socket, initSocket };
    } catch (error) {
      closeFd(libc, socket);
      throw error;
    } finally {
      closeFd(libc, initSocket);
    }
  } finally {
    closeFd(libc, executable);
  }
}

/** A memfd with init's code that nobody can change, whoever may open /proc/PID/exe (CVE-2019-5736). */
function openExecutable(ctx: Context, libc: Libc): number {
  const code = readInit(join(ctx.installDir, "init"));
  let fd = libc.memfd_create("tsrunc-init", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);
  if (fd < 0 && libc.errno() === EINVAL)
    fd = libc.memfd_create("tsrunc-init", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (fd < 0) throw new SyscallError("start init", 'memfd_create("tsrunc-init")', libc.errno());
  try {
    if (libc.write(fd, code, code.length) !== code.length)
      throw new SyscallError("start init", `write(memfd, ${code.length} bytes)`, libc.errno());
    if (libc.fcntl(fd, F_ADD_SEALS, SEALS) < 0)
      throw new SyscallError("start init", "fcntl(memfd, F_ADD_SEALS)", libc.errno());
  } catch (error) {
    closeFd(libc, fd);
    throw error;
  }
  return fd;
}

function readInit(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (error) {
    throw toSyscallError(error, "start init", `open("${path}")`);
  }
}

function spawn(libc: Libc, executable: number, initSocket: number, options: LaunchOptions): number {
  const actions = new Uint8Array(256); // posix_spawn_file_actions_t: 80 bytes in glibc on both architectures
  const pid = new Int32Array(1);
  libc.posix_spawn_file_actions_init(actions);
  try {
    for (const [to, from] of options.stdio.entries()) {
      // Also where both are equal: it takes the close-on-exec flag away.
      libc.posix_spawn_file_actions_adddup2(actions, from, to);
    }
    for (const fd of [...options.pass, initSocket]) libc.posix_spawn_file_actions_adddup2(actions, fd, fd);
    const path = `/proc/self/fd/${executable}`;
    const argv = ["tsrunc-init", String(initSocket), null];
    const error = libc.posix_spawn(new Uint8Array(pid.buffer), path, actions, null, argv, [null]);
    if (error !== 0) throw new SyscallError("start init", `posix_spawn("${path}")`, error);
  } finally {
    libc.posix_spawn_file_actions_destroy(actions);
  }
  return pid[0] as number;
}
