// Writes of the host lane to /proc/PID.
import { writeFileSync } from "node:fs";
import { toSyscallError } from "../errors.ts";

/** Writes a file of /proc/PID; `intent`, with the config path, begins the error. Throws SyscallError. */
export function writeProcFile(pid: number, file: string, value: string, intent: string): void {
  try {
    writeFileSync(`/proc/${pid}/${file}`, value);
  } catch (error) {
    throw toSyscallError(error, intent, `write ${JSON.stringify(value)} to ${file}`);
  }
}
