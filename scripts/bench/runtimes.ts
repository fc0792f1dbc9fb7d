// The runtimes that are compared: tsrunc first, then Debian's peers, then those given by path.
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { basename, join, resolve } from "node:path";

export interface Runtime {
  readonly path: string;
  /** `runc 1.1.5`: name and version. */
  readonly label: string;
  /** State directory, for --root. */
  readonly root: string;
  /** The beginning of its containers' names: two runtimes' containers of one name would share a cgroup. */
  readonly id: string;
  /** tsrunc, or the peer of Debian that a target names. */
  readonly role: "tsrunc" | "runc" | "crun" | "other";
}

/** What every command of the bench gets of this process's environment. */
export const env: Readonly<Record<string, string>> = {
  PATH: process.env.PATH ?? "/usr/sbin:/usr/bin:/sbin:/bin",
};

/** Finds them; `folder` will hold their state directories. Throws if tsrunc has not been built. */
export function findRuntimes(folder: string, given: readonly string[]): readonly [Runtime, ...Runtime[]] {
  const own = process.env.TSRUNC ?? join(import.meta.dirname, "../../dist/tsrunc");
  if (!existsSync(own)) throw new Error(`${own} is missing: npm run build`);
  const make = (path: string, role: Runtime["role"], index: number): Runtime => ({
    path,
    role,
    label: `${basename(path)} ${readVersion(path)}`,
    root: join(folder, `state-${index}`),
    id: `bench-${process.pid}-${index}`,
  });
  const peers = (["runc", "crun"] as const).flatMap((name, i) => {
    const path = Bun.which(name);
    return path === null ? [] : [make(path, name, i + 1)];
  });
  return [make(own, "tsrunc", 0), ...peers, ...given.map((path, i) => make(resolve(path), "other", i + 3))];
}

function readVersion(path: string): string {
  const text = execFileSync(path, ["--version"], { env, encoding: "utf8" });
  return /version ([^\s+]+)/.exec(text)?.[1] ?? "";
}

/** Runs a command of a runtime to its end. Throws with its stderr if it fails. */
export function runCommand(runtime: Runtime, ...args: readonly string[]): string {
  // A container that outlives `create` would hold a pipe open: only commands that leave none behind are read.
  const leaves = args[0] === "create" || args.includes("--detach");
  return execFileSync(runtime.path, ["--root", runtime.root, ...args], {
    env,
    encoding: "utf8",
    stdio: ["ignore", leaves ? "ignore" : "pipe", leaves ? "ignore" : "pipe"],
  });
}
