// Where the containers' states are.
import { mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { UsageError } from "../errors.ts";
import { isInUserNamespace } from "../host/in-user-namespace.ts";

const DEFAULT_ROOT = "/run/tsrunc";

export interface Caller {
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly euid: number;
}

/** The folder of `--root`, absolute; for a caller without privileges $XDG_RUNTIME_DIR/tsrunc unless given. */
export function chooseRoot(caller: Caller, given: string | undefined): string {
  if (given !== undefined) {
    const root = resolve(caller.cwd, given);
    if (root === "/") throw new UsageError("the root directory of the containers (--root) must not be /");
    return root;
  }
  const { XDG_RUNTIME_DIR, USER } = caller.env;
  if (XDG_RUNTIME_DIR === undefined || !XDG_RUNTIME_DIR.startsWith("/")) return DEFAULT_ROOT;
  if (caller.euid === 0 && (USER === "root" || !isInUserNamespace())) return DEFAULT_ROOT;
  const root = join(XDG_RUNTIME_DIR, "tsrunc");
  // The sticky bit keeps clean-up services from removing it (XDG Base Directory Specification).
  mkdirSync(root, { recursive: true, mode: 0o1700 });
  return root;
}
