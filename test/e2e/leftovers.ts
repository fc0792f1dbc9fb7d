// Finds what a container leaves on the host: mounts, cgroups, state, processes and sockets that carry a marker
// (the sandbox's temporary directory, or the common beginning of its container ids).
import { existsSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";

/** A file of /proc that can vanish between the listing and the reading. */
function readOrNothing(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === "ENOENT" || code === "ESRCH" || code === "EINVAL" || code === "EACCES") return "";
    throw error;
  }
}

function readLinkIfThere(path: string): string {
  try {
    return readlinkSync(path);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    // ENAMETOOLONG: a working directory deeper than a path can tell; none of ours is.
    if (code === "ENOENT" || code === "ESRCH" || code === "EACCES" || code === "ENAMETOOLONG") return "";
    throw error;
  }
}

export function listMounts(markers: readonly string[]): string[] {
  return readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .filter((line) => markers.some((marker) => line.includes(marker)));
}

/** Directories below any cgroup hierarchy whose name contains the marker. */
export function listCgroups(marker: string): string[] {
  const found: string[] = [];
  const walk = (directory: string): void => {
    let entries: import("node:fs").Dirent[];
    try {
      entries = readdirSync(directory, { withFileTypes: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
      throw error;
    }
    for (const entry of entries) {
      if (!entry.isDirectory()) continue;
      const path = join(directory, entry.name);
      if (entry.name.includes(marker)) found.push(path);
      walk(path);
    }
  };
  if (existsSync("/sys/fs/cgroup")) walk("/sys/fs/cgroup");
  return found;
}

export interface FoundProcess {
  readonly pid: number;
  readonly why: string;
}

/** Processes that belong to a container: by command line, working directory, cgroup or mounts. */
export function listProcesses(markers: readonly string[]): FoundProcess[] {
  const own = new Set([process.pid, process.ppid]);
  const has = (text: string): boolean => markers.some((marker) => text.includes(marker));
  const found: FoundProcess[] = [];
  for (const name of readdirSync("/proc")) {
    const pid = Number(name);
    if (!Number.isInteger(pid) || own.has(pid)) continue;
    // A zombie has no mounts and no command line; its cgroup line stays, and it is its parent's to reap.
    if (/^State:\s+[ZX]/m.test(readOrNothing(`/proc/${pid}/status`))) continue;
    const command = readOrNothing(`/proc/${pid}/cmdline`).replaceAll("\0", " ");
    const checks: [string, string][] = [
      ["command line", command],
      ["working directory", readLinkIfThere(`/proc/${pid}/cwd`)],
      ["cgroup", readOrNothing(`/proc/${pid}/cgroup`)],
      ["mounts", readOrNothing(`/proc/${pid}/mountinfo`)],
    ];
    const hit = checks.find(([, text]) => has(text));
    // The host's own processes all see a mount that leaked to the host: listMounts reports that once.
    if (hit && !(hit[0] === "mounts" && sharesMountNamespace(pid)))
      found.push({ pid, why: `${hit[0]}: ${command || "?"}` });
  }
  return found;
}

function sharesMountNamespace(pid: number): boolean {
  return readLinkIfThere(`/proc/${pid}/ns/mnt`) === readLinkIfThere("/proc/self/ns/mnt");
}

export function listSockets(markers: readonly string[]): string[] {
  return readFileSync("/proc/net/unix", "utf8")
    .split("\n")
    .filter((line) => markers.some((marker) => line.includes(marker)));
}

/** Everything that is left, one line each; empty when the host is clean. */
export function listLeftovers(directory: string, idPrefix: string, stateRoots: readonly string[]): string[] {
  const markers = [directory, idPrefix];
  const lines = [
    ...listProcesses(markers).map((p) => `process ${p.pid} (${p.why})`),
    ...listMounts(markers).map((line) => `mount ${line}`),
    ...listCgroups(idPrefix).map((path) => `cgroup ${path}`),
    ...listSockets(markers).map((line) => `socket ${line}`),
  ];
  for (const root of stateRoots) {
    // Compiled seccomp profiles stay for the next container.
    const names = existsSync(root) ? readdirSync(root).filter((name) => name !== "@seccomp") : [];
    lines.push(...names.map((name) => `state ${join(root, name)}`));
  }
  return lines;
}
