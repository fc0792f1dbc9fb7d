// Which process `exec` makes: a whole one from a file, or the container's own with the flags' changes.
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import type { Context } from "../context.ts";
import { type Process, parseProcess, type RunnableConfig } from "../spec/config.ts";
import type { ExecOptions } from "./options.ts";
import { describeFsError } from "./store.ts";

/** The process of a file, or the container's own with the flags' changes. */
export function describeProcess(
  ctx: Pick<Context, "cwd">,
  config: RunnableConfig,
  options: ExecOptions,
): Process {
  if (options.processFile !== undefined) {
    const path = resolve(ctx.cwd, options.processFile);
    try {
      return inherit(parseProcess(readFileSync(path, "utf8"), options.processFile), config.process);
    } catch (error) {
      throw describeFsError("read the process", error);
    }
  }
  const base = config.process;
  const caps = base.capabilities ?? {};
  const add = (names: readonly string[] | undefined): string[] => [
    ...new Set([...(names ?? []), ...options.caps]),
  ];
  const inheritable = new Set(caps.inheritable ?? []);
  const ambient = [...(caps.ambient ?? []), ...options.caps.filter((name) => inheritable.has(name))];
  return {
    ...base,
    args: options.args,
    terminal: options.tty,
    cwd: options.cwd ?? base.cwd,
    env: [...(base.env ?? []), ...options.env],
    user: {
      ...base.user,
      uid: options.user?.uid ?? base.user.uid,
      gid: options.user?.gid ?? base.user.gid,
      additionalGids: [...(base.user.additionalGids ?? []), ...options.additionalGids],
    },
    capabilities:
      options.caps.length === 0
        ? base.capabilities
        : {
            ...caps,
            bounding: add(caps.bounding),
            effective: add(caps.effective),
            permitted: add(caps.permitted),
            ambient,
          },
    apparmorProfile: options.apparmor || base.apparmorProfile,
    selinuxLabel: options.processLabel || base.selinuxLabel,
    noNewPrivileges: options.noNewPrivs || base.noNewPrivileges === true,
  };
}

/** Capabilities and labels that a process file leaves out are the container's, as with runc. */
function inherit(process: Process, base: RunnableConfig["process"]): Process {
  return {
    ...process,
    capabilities: process.capabilities ?? base.capabilities,
    apparmorProfile: process.apparmorProfile || base.apparmorProfile,
    selinuxLabel: process.selinuxLabel || base.selinuxLabel,
  };
}
