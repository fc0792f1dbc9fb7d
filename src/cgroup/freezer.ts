// Freezing and thawing a container's cgroup (kernel: cgroup-v1/freezer-subsystem.rst, cgroup-v2.rst "cgroup.freeze").
import { TsruncError } from "../errors.ts";
import type { CgroupRecord } from "./types.ts";
import { sleep, waitUntil } from "./wait.ts";
import { readIfThere, writeFile } from "./write.ts";

const FREEZE = "freeze the container";
const THAW = "thaw the container";

/** True if the container was frozen (v1: itself, not one above it). A cgroup that is gone is not. */
export function isFrozen(record: CgroupRecord): boolean {
  const dir = freezerDir(record);
  if (dir === undefined) return false;
  if (record.mode === "v2") return readIfThere(`${dir}/cgroup.freeze`) === "1\n";
  return readIfThere(`${dir}/freezer.self_freezing`) === "1\n";
}

/**
 * Freezes or thaws the container's processes, and waits until all are frozen, for at most `timeoutMs`: thawed
 * again and TsruncError then. Does nothing to a cgroup that is gone. Throws SyscallError.
 */
export function setFreezer(record: CgroupRecord, frozen: boolean, timeoutMs = 10_000): void {
  const dir = freezerDir(record);
  if (dir === undefined) throw new TsruncError(`${frozen ? FREEZE : THAW}: there is no freezer controller`);
  if (record.mode === "v2") setFreezerV2(dir, frozen, timeoutMs);
  else setFreezerV1(dir, frozen, timeoutMs);
}

function freezerDir(record: CgroupRecord): string | undefined {
  return record.mode === "v2" ? record.paths.unified : record.paths.freezer;
}

function setFreezerV1(dir: string, frozen: boolean, timeoutMs: number): void {
  const file = `${dir}/freezer.state`;
  if (readIfThere(file) === undefined) return;
  if (!frozen) {
    writeFile(file, "THAWED", THAW);
    return;
  }
  // A process that is forked meanwhile may escape, and FREEZING then stays: only writing again reaches it, and now
  // and then a thaw helps.
  const end = performance.now() + timeoutMs;
  for (let i = 1; ; i++) {
    writeFile(file, "FROZEN", FREEZE);
    if (readIfThere(file) !== "FREEZING\n") return;
    if (performance.now() >= end) break;
    if (i % 50 === 0) writeFile(file, "THAWED", THAW);
    if (i % 10 === 0) sleep(1);
  }
  writeFile(file, "THAWED", THAW);
  throw new TsruncError(`${FREEZE}: its processes are not frozen after ${timeoutMs} ms`);
}

function setFreezerV2(dir: string, frozen: boolean, timeoutMs: number): void {
  const file = `${dir}/cgroup.freeze`;
  if (readIfThere(file) === undefined) return;
  writeFile(file, frozen ? "1" : "0", frozen ? FREEZE : THAW);
  if (!frozen) return;
  const hasFrozen = (): boolean =>
    readIfThere(`${dir}/cgroup.events`)?.split("\n").includes("frozen 1") !== false;
  if (waitUntil(hasFrozen, timeoutMs)) return;
  writeFile(file, "0", THAW);
  throw new TsruncError(`${FREEZE}: its processes are not frozen after ${timeoutMs} ms`);
}
