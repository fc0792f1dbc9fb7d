// Writes of the host lane to /proc/PID.
import { writeFileSync } from "node:fs";
import type { HostAction } from "../plan/host-action.ts";
import type { HostStep } from "../plan/step.ts";
import { describeFsError } from "./store.ts";

/** Writes a file of /proc/PID; the config path is in the error. */
export function writeProcFile(step: HostStep, action: HostAction & { do: "write-proc" }, pid: number): void {
  try {
    writeFileSync(`/proc/${pid}/${action.file}`, action.value);
  } catch (error) {
    throw describeFsError(
      `${step.source.path}: write ${JSON.stringify(action.value)} to ${action.file}`,
      error,
    );
  }
}
