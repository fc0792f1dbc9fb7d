// The socket on which a created container's init waits for `start`, and the sending of the start batch. Sending
// needs no native code: `start` should be quick.
import { fchmodSync, unlinkSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { loadLibc } from "../../native-bindings/libc.ts";
import type { Context } from "../context.ts";
import { SyscallError, TsruncError } from "../errors.ts";
import { decodeReportHeader, REPORT_SIZE } from "../plan/wire.ts";
import { closeFd } from "./fd.ts";
import { callOnPath, openStreamSocket, withSocketPath } from "./unix-socket.ts";

const NAME = "start.sock";
const INTENT = "open the start socket";

/**
 * Opens the listening socket `start.sock` (0600) in the container's directory. The descriptor is close-on-exec: it
 * is passed to init, and this process must close it, so that nobody listens once init has ended. Throws
 * SyscallError.
 */
export function openStartSocket(ctx: Context, containerDir: string): number {
  const libc = loadLibc(ctx.installDir);
  const path = join(containerDir, NAME);
  const fd = openStreamSocket(libc, INTENT);
  try {
    fchmodSync(fd, 0o600); // before bind: the socket's file is made with this mode
    callOnPath(libc, path, INTENT, `bind({AF_UNIX, "${path}"})`, (address) =>
      libc.bind(fd, address, address.length),
    );
    if (libc.listen(fd, 1) < 0) throw new SyscallError(INTENT, "listen(1)", libc.errno());
  } catch (error) {
    closeFd(libc, fd);
    throw error;
  }
  return fd;
}

/**
 * What became of a start batch. `started`: init closed the connection without a word, as execve does (or its
 * death: the caller can tell by the container's status). `failed`: a step of init's failed; `index` counts init's
 * steps as `Batch.planIndex` does. `absent`: nobody listens, so init has ended.
 */
export type StartOutcome =
  | { readonly kind: "started" }
  | { readonly kind: "failed"; readonly index: number; readonly errno: number }
  | { readonly kind: "absent" };

/**
 * Connects to the start socket, calls `beforeSend` (the place to unlink it), sends the batch, and waits for the
 * outcome. Throws TsruncError for any other error of the connection.
 */
export function sendStartBatch(containerDir: string, batch: Uint8Array): Promise<StartOutcome> {
  const path = join(containerDir, NAME);
  return new Promise((resolve, reject) => {
    let answer = Buffer.alloc(0);
    let failure: NodeJS.ErrnoException | undefined;
    const socket = withSocketPath(path, (short) => connect({ path: short }));
    socket.once("connect", () => {
      unlinkSync(path);
      socket.write(batch);
    });
    socket.on("data", (data) => {
      answer = Buffer.concat([answer, data as Buffer]); // no encoding is set, so never a string
      // The report's header is all that is needed; init waits for further batches then, and ends with us.
      if (answer.length >= REPORT_SIZE) socket.destroy();
    });
    socket.once("error", (error) => {
      failure = error;
    });
    socket.once("close", () => {
      if (answer.length >= REPORT_SIZE) {
        const { type, index, value } = decodeReportHeader(answer);
        if (type === "failed") resolve({ kind: "failed", index, errno: value });
        else reject(new Error(`init reported ${type} where it had to execute`));
      } else if (failure?.code === "ECONNREFUSED" || failure?.code === "ENOENT") resolve({ kind: "absent" });
      else if (failure && failure.code !== "ECONNRESET")
        reject(new TsruncError(`connect to the start socket ${path}: ${failure.message}`));
      else resolve({ kind: "started" });
    });
  });
}
