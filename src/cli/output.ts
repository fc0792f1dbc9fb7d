// Writes to the caller's stdout and stderr: at once, whole, and never through the engine's streams, which would
// switch the caller's pipes to non-blocking.
import { writeSync } from "node:fs";
import { toSyscallError } from "../errors.ts";

/**
 * Writes a text. A reader that has gone (EPIPE) or a closed descriptor (EBADF) is the caller's own doing. Throws
 * TsruncError when stdout takes no more for another reason, such as a full disk; of stderr nobody could be told.
 */
export function writeText(fd: number, text: string): void {
  const bytes = Buffer.from(text);
  let done = 0;
  while (done < bytes.length) {
    try {
      done += writeSync(fd, bytes, done);
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      if (fd === 1 && !["EAGAIN", "EINTR", "EPIPE", "EBADF"].includes(code ?? ""))
        throw toSyscallError(error, "", "write to stdout");
      if (code !== "EAGAIN" && code !== "EINTR") return;
      // The caller's pipe is non-blocking and full: give its reader time.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }
}

/** A message for a terminal or a log: control characters, which could steer a terminal, are shown as escapes. */
export function showControls(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what it looks for
  return text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, (c) => {
    return `\\x${c.charCodeAt(0).toString(16).padStart(2, "0")}`;
  });
}
