// Gives a new user namespace its mappings (user_namespaces(7)).
import { accessSync, constants } from "node:fs";
import { delimiter, isAbsolute, join } from "node:path";
import type { Context } from "../context.ts";
import { messageOf, SyscallError, TsruncError } from "../errors.ts";
import type { HostAction } from "../plan/host-action.ts";
import type { IdMapping } from "../spec/config.ts";
import { runProgram } from "./hooks.ts";
import { writeProcFile } from "./proc-file.ts";

const EPERM = 1;

/**
 * Writes the mappings of the process's user namespace. What an ordinary user may not map itself, newuidmap(1) and
 * newgidmap(1) map after a look at /etc/subuid and /etc/subgid. With `deniesGroups` no process there can ever drop a
 * group, and so gain what a file denies to that group: the kernel asks for that before an ordinary user maps a gid.
 * Throws SyscallError, TsruncError; the config path is in the error.
 */
export function mapIds(ctx: Context, pid: number, action: Extract<HostAction, { do: "map-ids" }>): void {
  mapOne(ctx, pid, "uid", action.uid);
  if (action.deniesGroups) writeProcFile(pid, "setgroups", "deny", "linux.gidMappings");
  mapOne(ctx, pid, "gid", action.gid);
}

function mapOne(ctx: Context, pid: number, kind: "uid" | "gid", mappings: readonly IdMapping[]): void {
  const path = `linux.${kind}Mappings`;
  const lines = mappings.map((m) => `${m.containerID} ${m.hostID} ${m.size}\n`);
  try {
    writeProcFile(pid, `${kind}_map`, lines.join(""), path);
  } catch (error) {
    if (!(error instanceof SyscallError) || error.errno !== EPERM || ctx.euid === 0) throw error;
    mapWithTool(ctx, pid, path, `new${kind}map`, mappings);
  }
}

function mapWithTool(
  ctx: Context,
  pid: number,
  path: string,
  name: string,
  mappings: readonly IdMapping[],
): void {
  const program = findProgram(ctx.env.PATH ?? "", name);
  if (program === undefined)
    throw new TsruncError(`${path}: ${name} is needed to map more than one's own id, and is not in $PATH`);
  const ids = mappings.flatMap((m) => [m.containerID, m.hostID, m.size].map(String));
  try {
    // A program with the privilege of root: it gets no environment of ours.
    runProgram(ctx, { path: program, args: [name, String(pid), ...ids], env: [] }, { state: "", cwd: "/" });
  } catch (error) {
    throw new TsruncError(`${path}: ${name} ${pid} ${ids.join(" ")}: ${messageOf(error)}`);
  }
}

function findProgram(searchPath: string, name: string): string | undefined {
  for (const directory of searchPath.split(delimiter)) {
    const path = join(directory, name);
    if (!isAbsolute(directory)) continue; // would be another program in another directory
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).errno === undefined) throw error;
    }
  }
  return undefined;
}
