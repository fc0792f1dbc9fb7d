// What a vulnerable runtime could change on the machine that runs the tests. It is noted before each test, put back
// after it, and a change fails the test: an attack that works must not outlive its test.
import { chmodSync, chownSync, readFileSync, statSync, writeFileSync } from "node:fs";

const settings = [
  "/proc/sys/kernel/core_pattern",
  "/proc/sys/kernel/panic",
  "/proc/sys/kernel/printk_ratelimit_burst",
  "/proc/sys/kernel/shm_rmid_forced",
  "/proc/sys/kernel/hostname",
  "/proc/sys/kernel/domainname",
  "/proc/sys/net/ipv4/ip_forward",
];
const devices = ["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty"];

export interface HostFacts {
  readonly settings: readonly (readonly [string, string])[];
  readonly devices: readonly (readonly [string, number, number, number])[];
}

export function noteHost(): HostFacts {
  return {
    settings: settings.map((path) => [path, readFileSync(path, "utf8")] as const),
    devices: devices.map((path) => {
      const { uid, gid, mode } = statSync(path);
      return [path, uid, gid, mode & 0o7777] as const;
    }),
  };
}

/** Puts everything back as it was noted; returns one line for each thing that had changed. */
export function restoreHost(noted: HostFacts): string[] {
  const changed: string[] = [];
  for (const [path, value] of noted.settings) {
    const now = readFileSync(path, "utf8");
    if (now === value) continue;
    changed.push(`${path} was changed to ${JSON.stringify(now)}`);
    writeFileSync(path, value);
  }
  for (const [path, uid, gid, mode] of noted.devices) {
    const now = statSync(path);
    if (now.uid === uid && now.gid === gid && (now.mode & 0o7777) === mode) continue;
    changed.push(`${path} was changed to ${now.uid}:${now.gid} ${(now.mode & 0o7777).toString(8)}`);
    chownSync(path, uid, gid);
    chmodSync(path, mode);
  }
  return changed;
}
