import { existsSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { codeOf, describeFsError } from "../container/store.ts";
import { TsruncError } from "../errors.ts";
import { defaultSpec } from "../spec/default.ts";
import type { CommandDefinition } from "./command.ts";
import { getText, hasFlag } from "./option.ts";

/** runc's rule for a cgroup namespace in the file: only cgroup v2 is mounted. */
function hasOnlyCgroup2(): boolean {
  return existsSync("/sys/fs/cgroup/cgroup.controllers");
}

export const command: CommandDefinition = {
  usage: "",
  description: "Writes a config.json to start from. It runs sh in the directory rootfs.",
  options: [
    {
      name: "bundle",
      short: "b",
      kind: "text",
      value: "path",
      help: "the bundle (default: current directory)",
    },
    { name: "rootless", kind: "flag", help: "for a user without privileges" },
  ],
  minArgs: 0,
  maxArgs: 0,
  run: ({ ctx, options }) => {
    const path = resolve(ctx.cwd, getText(options, "bundle") || ".", "config.json");
    const rootless = hasFlag(options, "rootless") ? { rootless: { uid: ctx.euid, gid: ctx.egid } } : {};
    const text = defaultSpec({ ...rootless, cgroupNamespace: hasOnlyCgroup2() });
    try {
      writeFileSync(path, text, { flag: "wx", mode: 0o666 });
    } catch (error) {
      if (codeOf(error) === "EEXIST") throw new TsruncError("file config.json exists, remove it first");
      throw describeFsError("write the configuration", error);
    }
    return 0;
  },
};
