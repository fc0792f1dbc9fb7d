// Finding the program of a process inside the container, and running it.
import { phrases } from "../errors.ts";
import { errnoNumber } from "../linux/errno.ts";
import { AT_FDCWD, type Label, load, type PlanBuilder } from "../plan/build.ts";
import type { NumberArg } from "../plan/step.ts";

/** PATH of a process whose environment has none, as execvp(3) and runc have it. */
const DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const STATX_TYPE: NumberArg = { kind: "number", value: 1, text: "STATX_TYPE" };
const AT_EACCESS: NumberArg = { kind: "number", value: 0x200, text: "AT_EACCESS" };
const X_OK: NumberArg = { kind: "number", value: 1, text: "X_OK" };
const S_IFMT = 0xf000;
const S_IFDIR = 0x4000;
const STATX_SIZE = 256;
const STATX_MODE_OFFSET = 28;

/**
 * The paths that a command may stand for, in order. A name with a slash stands for itself; relative parts of PATH
 * are left out, as Go's exec.LookPath does.
 */
function listCandidates(command: string, env: readonly string[]): readonly string[] {
  if (command.includes("/")) return [command];
  if (command === "") return [];
  const entry = env.findLast((variable) => variable.startsWith("PATH="));
  const path = entry === undefined ? DEFAULT_PATH : entry.slice("PATH=".length);
  const folders = path.split(":").filter((folder) => folder.startsWith("/"));
  return folders.map((folder) => `${folder.replace(/\/+$/, "")}/${command}`);
}

/** Who looks: ids with which access is checked. */
export interface Looker {
  readonly uid: number;
  readonly gid: number;
}

/**
 * Fails, with the texts that callers match, unless the command can be executed by its user. Runs in the
 * container's root, as its root user, in the process's working directory.
 */
export function checkExecutable(p: PlanBuilder, command: string, env: readonly string[], user: Looker): void {
  p.at("process.args[0]", `find ${JSON.stringify(command.slice(0, 256))}`, () => {
    const found: Label = { steps: [] };
    p.call("setfsgid", [user.gid]);
    p.call("setfsuid", [user.uid]);
    if (command.includes("/")) checkPath(p, command);
    else searchPath(p, command, env, found);
    p.place(found);
    p.call("setfsuid", [0]);
    p.call("setfsgid", [0]);
  });
}

function checkPath(p: PlanBuilder, path: string): void {
  const stat = p.buffer(STATX_SIZE, "stat");
  const mode = load(stat, STATX_MODE_OFFSET, 4, "stx_mode");
  p.call("statx", [AT_FDCWD, path, 0, STATX_TYPE, stat], {
    failure: phrases.statFailed(path),
    failureWithErrno: true,
  });
  // The program's own type is told by its absence: fail if it is a directory.
  p.check(mode, S_IFMT, S_IFDIR, errnoNumber("EISDIR"), {
    tolerate: ["EISDIR"],
    onSuccess: () => {
      p.check(1, 1, 0, errnoNumber("EISDIR"), { failure: phrases.isDirectory(path) });
    },
  });
  p.call("faccessat2", [AT_FDCWD, path, X_OK, AT_EACCESS], { failure: phrases.notExecutable(path) });
}

function searchPath(p: PlanBuilder, name: string, env: readonly string[], found: Label): void {
  for (const candidate of listCandidates(name, env)) {
    const stat = p.buffer(STATX_SIZE, "stat");
    const mode = load(stat, STATX_MODE_OFFSET, 4, "stx_mode");
    p.call("statx", [AT_FDCWD, candidate, 0, STATX_TYPE, stat], {
      tolerate: ["ENOENT", "ENOTDIR", "EACCES", "ELOOP"],
      onSuccess: () => {
        p.check(mode, S_IFMT, S_IFDIR, errnoNumber("EISDIR"), {
          tolerate: ["EISDIR"],
          onError: () => {
            p.call("faccessat2", [AT_FDCWD, candidate, X_OK, AT_EACCESS], {
              tolerate: ["EACCES"],
              goTo: found,
            });
          },
        });
      },
    });
  }
  p.check(1, 1, 0, errnoNumber("ENOENT"), { failure: phrases.commandMissing(name) });
}

/** Replaces init by the process's program; the last step of its life. */
export function executeProgram(p: PlanBuilder, args: readonly string[], env: readonly string[]): void {
  const command = args[0] as string;
  const candidates = listCandidates(command, env);
  p.at("process.args", "execute the process", () => {
    for (const [i, path] of candidates.entries()) {
      const isLast = i === candidates.length - 1;
      p.call("execve", [path, { kind: "strings", values: args }, { kind: "strings", values: env }], {
        tolerate: isLast ? [] : ["ENOENT", "ENOTDIR", "EACCES"],
        failure: `exec ${JSON.stringify(path.slice(0, 256))}`,
        failureWithErrno: true,
      });
    }
    if (candidates.length === 0)
      p.check(1, 1, 0, errnoNumber("ENOENT"), { failure: phrases.commandMissing(command) });
  });
}
