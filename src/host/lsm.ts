// Which Linux security modules are in force.
import { accessSync, constants, existsSync, readFileSync } from "node:fs";
import type { LsmFacts } from "../compile/facts.ts";

/** As runc and go-selinux look: AppArmor by its parameter, SELinux by a selinuxfs that can be written. */
export function readLsm(): LsmFacts {
  return { apparmor: hasAppArmor(), selinux: hasSelinux() };
}

function hasAppArmor(): boolean {
  const enabled = readUnlessRefused("/sys/module/apparmor/parameters/enabled")?.startsWith("Y") === true;
  return enabled && existsSync("/sys/kernel/security/apparmor");
}

/** Without a policy every process has the label `kernel`. */
function hasSelinux(): boolean {
  try {
    accessSync("/sys/fs/selinux/context", constants.W_OK);
  } catch {
    return false; // not mounted, or for a container's eyes only: read-only
  }
  return readUnlessRefused("/proc/self/attr/current")?.replace(/\0$/, "").trim() !== "kernel";
}

/** Undefined also for a file whose reading the kernel refuses, as attributes without a module to answer. */
function readUnlessRefused(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).errno === undefined) throw error;
    return undefined;
  }
}
