// The containers' state directories: ROOT/ID for each container (0700, files 0600).
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import type { Context } from "../context.ts";
import { messageOf, phrases, TsruncError } from "../errors.ts";
import { errnoText } from "../linux/errno.ts";
import { type ContainerRecord, containerPaths } from "./record.ts";

type Rooted = Pick<Context, "root">;

/** NAME_MAX: the id is the name of a directory. */
const MAX_ID_BYTES = 255;

/** Throws unless the text can be a container's id: `[A-Za-z0-9_+.-]+`, not `.` or `..`. */
export function checkId(id: string): void {
  if (isId(id)) return;
  const isLong = id.length > MAX_ID_BYTES;
  throw new TsruncError(`${phrases.invalidId}${isLong ? `: longer than ${MAX_ID_BYTES} bytes` : ""}`);
}

function isId(id: string): boolean {
  return /^[A-Za-z0-9_+.-]+$/.test(id) && id !== "." && id !== ".." && id.length <= MAX_ID_BYTES;
}

/** Makes the directory of a new container; of two callers at once exactly one succeeds. */
export function createContainerDir(ctx: Rooted, id: string): string {
  checkId(id);
  const { dir } = containerPaths(ctx.root, id);
  // Umask may take bits of a mode away, so it is set again where this call made the directory.
  try {
    if (mkdirSync(ctx.root, { recursive: true, mode: 0o711 }) !== undefined) chmodSync(ctx.root, 0o711);
  } catch (error) {
    throw describeRootError(error);
  }
  try {
    mkdirSync(dir, { mode: 0o700 });
    chmodSync(dir, 0o700);
  } catch (error) {
    if (codeOf(error) === "EEXIST") throw new TsruncError(phrases.exists);
    throw describeFsError("container's state directory", error);
  }
  return dir;
}

/** Whether there is a state directory (even a half-made one) for an id. */
export function hasContainerDir(ctx: Rooted, id: string): boolean {
  checkId(id);
  // A link in its place is no container, and nothing is made or removed behind it.
  return lstatSync(containerPaths(ctx.root, id).dir, { throwIfNoEntry: false })?.isDirectory() === true;
}

/** Whether a container has a record, readable or not. */
export function hasRecord(ctx: Rooted, id: string): boolean {
  return lstatSync(containerPaths(ctx.root, id).record, { throwIfNoEntry: false }) !== undefined;
}

/** Reads a container's record; `container does not exist` if there is none. */
export function readRecord(ctx: Rooted, id: string): ContainerRecord {
  const record = findRecord(ctx, id);
  if (record === undefined) throw new TsruncError(phrases.absent);
  return record;
}

/** Reads a container's record, or gives undefined if there is none. */
export function findRecord(ctx: Rooted, id: string): ContainerRecord | undefined {
  checkId(id);
  const path = containerPaths(ctx.root, id).record;
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    const code = codeOf(error);
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw describeFsError("container's state", error);
  }
  return parseRecord(path, text, id);
}

function parseRecord(path: string, text: string, id: string): ContainerRecord {
  let value: ContainerRecord;
  try {
    value = JSON.parse(text);
  } catch {
    throw new TsruncError(`${path}: not JSON`);
  }
  if (value?.version !== 1) throw new TsruncError(`${path}: written by another version of tsrunc`);
  if (value.id !== id) throw new TsruncError(`${path}: belongs to container ${JSON.stringify(value.id)}`);
  return value;
}

/** Writes a container's record so that a reader sees either the old one or the new one. */
export function writeRecord(ctx: Rooted, record: ContainerRecord): void {
  checkId(record.id);
  const path = containerPaths(ctx.root, record.id).record;
  const temporary = `${path}.new`;
  try {
    writeFileSync(temporary, JSON.stringify(record), { mode: 0o600 });
    renameSync(temporary, path);
  } catch (error) {
    throw describeFsError("container's state", error);
  }
}

/** Writes one file of a container's directory, for this user alone. */
export function writeStateFile(path: string, content: string | Uint8Array): void {
  try {
    writeFileSync(path, content, { mode: 0o600 });
  } catch (error) {
    throw describeFsError("container's state", error);
  }
}

/** Removes one file of a container's directory. */
export function removeStateFile(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    throw describeFsError("container's state", error);
  }
}

/**
 * Removes a container's directory with everything in it and follows no symbolic link. The record goes first: what
 * an interrupted removal leaves is no container for any command but `delete --force`.
 */
export function removeContainerDir(ctx: Rooted, id: string): void {
  checkId(id);
  const { dir, record } = containerPaths(ctx.root, id);
  try {
    removeEntry(record);
    removeEntry(dir);
  } catch (error) {
    throw describeFsError("container's state directory", error);
  }
}

/** Another command may put its bid for the lock into the directory while it is emptied: then once more. */
const REMOVE_ATTEMPTS = 100;

function removeEntry(path: string): void {
  for (let attempt = 1; ; attempt++) {
    const entry = lstatSync(path, { throwIfNoEntry: false });
    if (entry === undefined) return;
    try {
      if (entry.isDirectory()) {
        for (const name of readdirSync(path)) removeEntry(`${path}/${name}`);
        rmdirSync(path);
      } else {
        unlinkSync(path);
      }
      return;
    } catch (error) {
      const code = codeOf(error);
      if (code === "ENOENT") return;
      if (code !== "ENOTEMPTY" || attempt === REMOVE_ATTEMPTS) throw error;
    }
  }
}

/** Ids of all containers, sorted; undefined if there is no root. Throws TsruncError if it cannot be read. */
export function listIds(ctx: Rooted): string[] | undefined {
  try {
    return readdirSync(ctx.root).filter(isId).sort();
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw describeRootError(error);
  }
}

function describeRootError(error: unknown): unknown {
  const described = describeFsError("containers' root", error);
  if (codeOf(error) !== "EACCES") return described;
  return new TsruncError(`${messageOf(described)} (an ordinary user sets XDG_RUNTIME_DIR, or --root)`);
}

/** `ENOENT` and the like of an error that node:fs threw; undefined for any other. */
export function codeOf(error: unknown): string | undefined {
  return error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
}

/** An error of node:fs in tsrunc's wording; anything else is given back as it is. */
export function describeFsError(intent: string, error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const { syscall, path, errno } = error as NodeJS.ErrnoException;
  if (syscall === undefined || errno === undefined) return error;
  return new TsruncError(`${intent}: ${syscall} ${path ?? ""}: ${errnoText(Math.abs(errno))}`);
}
