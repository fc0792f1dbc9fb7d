// Makes what a path in the container leads to, for targets behind symbolic links that lead nowhere: images have such
// links, `/etc/resolv.conf -> ../run/systemd/resolve/stub-resolv.conf` for one. The kernel follows no link to make
// something, so the links are read here, by init, and counted from the root: `..` and absolute links end there.
//
// The root file system may be hostile and may change at any time. Every look-up starts at the root's descriptor, stays
// below it, and follows no link itself: what has become one meanwhile is an error. Whoever asked opens the path anew
// afterwards, so what is read here decides about nothing but the places of new, empty files and directories.
import { posix } from "node:path";
import { TsruncError } from "../errors.ts";
import { type ErrnoName, errnoNumber, errnoText } from "../linux/errno.ts";
import { OPEN_HOW_SIZE, PROC_SUPER_MAGIC, RESOLVE, S, STATFS_SIZE } from "../linux/mount-flags.ts";
import { flags, openFlags, openHow, type PlanBuilder } from "../plan/build.ts";
import type { HostAction } from "../plan/host-action.ts";
import { tellSource } from "../plan/print.ts";
import type { NumberArg, Pointee, Result, Source } from "../plan/step.ts";
import type { Session } from "./session.ts";
import { openSide, outputOf, pathBytes, resultOf, runSide, type Side } from "./side-batch.ts";

/** As many as the kernel follows (path_resolution(7)). */
const MAX_LINKS = 40;
/** Links can be long, and each component is one batch. */
const MAX_COMPONENTS = 4096;
const PATH_MAX = 4096;

const LINKLESS = flags(RESOLVE, "RESOLVE_IN_ROOT", "RESOLVE_NO_SYMLINKS", "RESOLVE_NO_MAGICLINKS");
const ITSELF = openHow(openFlags("O_PATH", "O_NOFOLLOW", "O_CLOEXEC"), LINKLESS);
const DIRECTORY = openHow(openFlags("O_PATH", "O_DIRECTORY", "O_CLOEXEC"), LINKLESS);
const MODE_0755: NumberArg = { kind: "number", value: 0o755, text: "0755" };
const FILE_0644: NumberArg = { kind: "number", value: S.S_IFREG | 0o644, text: "S_IFREG|0644" };

/** Paths here are absolute in the root, without links, `.` and `..`; their characters are bytes (latin1). */
interface Destination {
  readonly path: string;
  /** What is not there on the way to it, parents first; so also what a `..` leads back from. */
  readonly missing: readonly string[];
}

/**
 * Carries out the host action `make-path`: directories get mode 0755, a file 0644 (init's umask is 0). Nothing is made if
 * the path cannot be. `source` tells who asked for it. Throws SyscallError, TsruncError.
 */
export function makePath(
  session: Session,
  action: Extract<HostAction, { do: "make-path" }>,
  source: Source,
): void {
  const value = session.results.get(action.root);
  if (value === undefined) throw new Error("make-path: the root is not open");
  const root: NumberArg = { kind: "number", value, text: "root" };
  const side = openSide(session, source);
  const { path, missing } = resolvePath(side, root, action.unsafePath);
  if (missing.length === 0) return; // somebody else was faster
  runSide(side, (p) => {
    for (const made of missing) makeOne(p, root, made, action.kind === "file" && made === path);
  });
}

/** Follows the links that are there, as far as they lead. What is missing counts as a directory. */
function resolvePath(side: Side, root: NumberArg, unsafePath: string): Destination {
  const missing = new Set<string>();
  let path = "/";
  let ahead = splitPath(Buffer.from(unsafePath).toString("latin1"));
  let links = 0;
  for (let count = 0; ahead.length > 0; count++) {
    const name = ahead.shift() as string;
    const next = posix.join(path, name);
    if (count === MAX_COMPONENTS || next.length > PATH_MAX) fail(side, unsafePath, "ENAMETOOLONG");
    if (name !== ".." && !missing.has(next)) {
      const found = missing.has(path) ? "missing" : readComponent(side, root, next);
      if (found === "missing") missing.add(next);
      else if (found !== "no link") {
        links++;
        if (links > MAX_LINKS || found === "link of a procfs") fail(side, unsafePath, "ELOOP");
        if (found.link.startsWith("/")) path = "/";
        ahead = [...splitPath(found.link), ...ahead];
        continue;
      }
    }
    path = next; // `..` of the root is the root
  }
  return { path, missing: [...missing] };
}

function splitPath(path: string): string[] {
  return path.split("/").filter((part) => part !== "" && part !== ".");
}

/** Links of a procfs lead to nothing that could be made; where they are not the image's but magic, anywhere else. */
function readComponent(
  side: Side,
  root: NumberArg,
  path: string,
): "missing" | "no link" | "link of a procfs" | { readonly link: string } {
  const { node, buffer, length, statfs } = runSide(side, (p) => {
    const [buffer, statfs] = [p.buffer(PATH_MAX, "link"), p.buffer(STATFS_SIZE, "statfs")];
    let length: Result | undefined;
    const node = p.call("openat2", [root, relativeToRoot(path), ITSELF, OPEN_HOW_SIZE], {
      name: "node",
      tolerate: ["ENOENT"],
      onSuccess: (fd) => {
        p.call("fstatfs", [fd, statfs]);
        // Of what is no link, the kernel says ENOENT for an empty path.
        length = p.call("readlinkat", [fd, "", buffer, PATH_MAX], { tolerate: ["ENOENT", "EINVAL"] });
        p.call("close", [fd]);
      },
    });
    return { node, buffer, statfs, length: length as Result };
  });
  if (resultOf(side, node) < 0) return "missing";
  const read = resultOf(side, length);
  if (read < 0) return "no link";
  const type = Buffer.from(outputOf(side, statfs)).readUInt32LE();
  if (type === PROC_SUPER_MAGIC) return "link of a procfs";
  return { link: Buffer.from(outputOf(side, buffer).subarray(0, read)).toString("latin1") };
}

function makeOne(p: PlanBuilder, root: NumberArg, path: string, isFile: boolean): void {
  const args = [root, relativeToRoot(posix.dirname(path)), DIRECTORY, OPEN_HOW_SIZE];
  const parent = p.call("openat2", args, { name: "parent" });
  const name = encodePath(posix.basename(path));
  if (isFile) p.call("mknodat", [parent, name, FILE_0644, 0], { tolerate: ["EEXIST"] });
  else p.call("mkdirat", [parent, name, MODE_0755], { tolerate: ["EEXIST"] });
  p.call("close", [parent]);
}

function relativeToRoot(path: string): Pointee {
  return encodePath(path === "/" ? "." : path.slice(1));
}

function encodePath(path: string): Pointee {
  return pathBytes(Buffer.from(`${path}\0`, "latin1"));
}

function fail({ source }: Side, unsafePath: string, errno: ErrnoName): never {
  throw new TsruncError(`${tellSource(source)}: make ${unsafePath}: ${errnoText(errnoNumber(errno))}`);
}
