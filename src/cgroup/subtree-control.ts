// Hands the controllers of cgroup v2 down to a container's cgroup (kernel: cgroup-v2.rst "Enabling and Disabling").
import { posix } from "node:path";
import { TsruncError } from "../errors.ts";
import { readIfThere, writeFile } from "./write.ts";

/**
 * Enables, in every cgroup above `path`, the controllers that it has and does not hand down. One that cannot be
 * enabled is no error here: a container that needs it fails when its limit is written, with a hint.
 */
export function enableControllers(path: string, mountPoint: string): void {
  const wanted = readWords(`${mountPoint}/cgroup.controllers`);
  const present = readWords(`${path}/cgroup.controllers`);
  // Writing is slow (it stops every fork on the machine): mostly all is there already.
  if (wanted.every((name) => present.includes(name))) return;
  for (const dir of listAbove(path, mountPoint)) {
    const enabled = readWords(`${dir}/cgroup.subtree_control`);
    const missing = readWords(`${dir}/cgroup.controllers`).filter((name) => !enabled.includes(name));
    if (missing.length === 0 || tryEnable(dir, missing)) continue;
    for (const name of missing) tryEnable(dir, [name]);
  }
}

/** From the mount point down, without `path` itself. */
function listAbove(path: string, mountPoint: string): readonly string[] {
  const above: string[] = [];
  for (let dir = path; dir.startsWith(`${mountPoint}/`); ) {
    dir = posix.dirname(dir);
    above.unshift(dir);
  }
  return above;
}

function tryEnable(dir: string, names: readonly string[]): boolean {
  try {
    writeFile(`${dir}/cgroup.subtree_control`, names.map((name) => `+${name}`).join(" "), "");
    return true;
  } catch (error) {
    if (error instanceof TsruncError) return false;
    throw error;
  }
}

function readWords(path: string): readonly string[] {
  return readIfThere(path)?.trim().split(" ").filter(Boolean) ?? [];
}
