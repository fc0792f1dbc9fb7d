// Compiled seccomp programs by what they were compiled from, in a directory (0700, files 0600) below the containers'
// root. An entry is used only if nobody else can have written it and its whole source is the one that is asked for.
import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import type { Context } from "../context.ts";
import { messageOf } from "../errors.ts";
import { SOCK_FILTER_SIZE } from "../linux/seccomp.ts";

/** Changes whenever src/compile or src/host make another program of the same request. */
const FORMAT = 2;
/** Engines have few profiles: beyond this number the older half goes. */
const MAX_ENTRIES = 64;

export interface CacheKey {
  readonly ctx: Pick<Context, "log" | "euid">;
  readonly dir: string;
  /** Everything that the program depends on but the library. */
  readonly key: string;
}

/** The library that compiled a program: another one in its place compiles anew. */
interface Library {
  readonly path: string;
  readonly inode: number;
  readonly size: number;
  readonly modifiedMs: number;
}

interface Header {
  readonly format: number;
  readonly library: Library;
  readonly keyBytes: number;
  /** Of the program: the key is compared whole. */
  readonly checksum: string;
}

/** Bits of a mode that let others write. */
const WRITABLE_BY_OTHERS = 0o022;

/** The program for a key; undefined if there is none that can be used. */
export function findProgram({ ctx, dir, key }: CacheKey): Uint8Array | undefined {
  try {
    if (!isOurs(ctx, lstatSync(dir, { throwIfNoEntry: false }))) return undefined;
    const bytes = readEntry(ctx, join(dir, hash(Buffer.from(key))));
    return bytes && decodeEntry(bytes, key);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT")
      ctx.log.warn(`seccomp cache is not used: ${messageOf(error)}`);
    return undefined;
  }
}

function isOurs(ctx: Pick<Context, "euid">, stat: Stats | undefined): boolean {
  return stat !== undefined && stat.uid === ctx.euid && (stat.mode & WRITABLE_BY_OTHERS) === 0;
}

function readEntry(ctx: Pick<Context, "euid">, path: string): Buffer | undefined {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    return isOurs(ctx, fstatSync(fd)) ? readFileSync(fd) : undefined;
  } finally {
    closeSync(fd);
  }
}

/** An entry: the header as a line of JSON, the key, the program. Anything that is not one gives undefined. */
function decodeEntry(bytes: Buffer, key: string): Uint8Array | undefined {
  const line = bytes.indexOf(10);
  if (line < 0) return undefined;
  let header: Header;
  try {
    header = JSON.parse(bytes.toString("utf8", 0, line));
  } catch {
    return undefined; // cut short by a crash of the machine
  }
  const body = bytes.subarray(line + 1);
  if (header?.format !== FORMAT || body.toString("utf8", 0, header.keyBytes) !== key) return undefined;
  const program = body.subarray(header.keyBytes);
  const isProgram = program.length > 0 && program.length % SOCK_FILTER_SIZE === 0;
  if (header.checksum !== hash(program)) return undefined;
  return isProgram && isPresent(header.library) ? new Uint8Array(program) : undefined;
}

function isPresent(library: Library): boolean {
  const found = describeLibrary(library.path);
  return (
    found !== undefined &&
    found.inode === library.inode &&
    found.size === library.size &&
    found.modifiedMs === library.modifiedMs
  );
}

function describeLibrary(path: string): Library | undefined {
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat && { path, inode: stat.ino, size: stat.size, modifiedMs: stat.mtimeMs };
}

/**
 * Keeps a program for the next container. `library`: path of the one that compiled it. A cache that cannot be written
 * is a warning.
 */
export function keepProgram(
  { ctx, dir, key }: CacheKey,
  program: Uint8Array,
  library: string | undefined,
): void {
  const described = library === undefined ? undefined : describeLibrary(library);
  if (!described) return;
  try {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    if (!isOurs(ctx, lstatSync(dir))) throw new Error(`${dir} can be written by others`);
    makeRoom(dir);
    const path = join(dir, hash(Buffer.from(key)));
    const temporary = `${path}.${Math.random().toString(36).slice(2)}`;
    writeFileSync(temporary, encodeEntry(described, key, program), { mode: 0o600, flag: "wx" });
    renameSync(temporary, path);
  } catch (error) {
    ctx.log.warn(`seccomp cache is not written: ${messageOf(error)}`);
  }
}

function encodeEntry(library: Library, key: string, program: Uint8Array): Uint8Array {
  const keyBytes = Buffer.from(key);
  const header: Header = { format: FORMAT, library, keyBytes: keyBytes.length, checksum: hash(program) };
  return Buffer.concat([Buffer.from(`${JSON.stringify(header)}\n`), keyBytes, program]);
}

function makeRoom(dir: string): void {
  const names = readdirSync(dir);
  if (names.length < MAX_ENTRIES) return;
  const entries = names.map((name) => join(dir, name));
  const ages = entries.map(
    (path) => [path, statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0] as const,
  );
  ages.sort(([, a], [, b]) => a - b);
  for (const [path] of ages.slice(0, MAX_ENTRIES / 2)) rmSync(path, { force: true });
}

/**
 * FNV-1a over words of 32 bits in two lanes, as 16 hexadecimal digits. It tells a torn entry and spreads the names;
 * whether an entry is the right one is told by its whole key. (node:crypto takes longer to load.)
 */
function hash(bytes: Uint8Array): string {
  const words = new Uint32Array((bytes.length + 3) >> 2);
  new Uint8Array(words.buffer).set(bytes);
  let low = 0x811c9dc5 ^ bytes.length;
  let high = 0x01000193;
  for (const word of words) {
    low = Math.imul(low ^ word, 0x01000193);
    low ^= low >>> 15;
    high = Math.imul(high + word, 0x85ebca6b) ^ (high >>> 13);
  }
  const print = (value: number): string => (value >>> 0).toString(16).padStart(8, "0");
  return print(low) + print(high);
}
