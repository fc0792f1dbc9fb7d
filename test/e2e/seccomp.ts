// What the tests of linux.seccomp share: profiles, and what this host has for them.
import type { Config, Seccomp } from "./config.ts";

export const isX86 = process.arch === "x64";

/** Whether a process may be traced here. */
export const canTrace = Bun.spawnSync(["strace", "-o", "/dev/null", "true"]).exitCode === 0;

/** A profile that denies these system calls and allows all others. */
export const deny = (names: string[], more: object = {}): Seccomp => ({
  defaultAction: "SCMP_ACT_ALLOW",
  syscalls: [{ names, action: "SCMP_ACT_ERRNO", ...more }],
});

/** The change of a config that puts its process under a profile. */
export const under =
  (seccomp: Seccomp, noNewPrivileges = true) =>
  (config: Config): void => {
    config.linux.seccomp = seccomp;
    config.process.noNewPrivileges = noNewPrivileges;
  };

/** Shows the filters of the process itself. */
export const status = ["grep", "^Seccomp", "/proc/self/status"];
