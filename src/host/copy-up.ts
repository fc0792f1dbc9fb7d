// tmpcopyup: fills a new tmpfs with what the image has at the place that it covers. Reading and writing is done by
// init, in the container's namespaces; this side only says what comes next. Every entry is opened below a directory
// that is held open, without following links, so the image cannot lead the copy astray.
import { TsruncError } from "../errors.ts";
import {
  AT,
  OPEN_HOW_SIZE,
  RESOLVE,
  S,
  STATX_BASIC_STATS,
  STATX_OFFSETS,
  STATX_SIZE,
} from "../linux/mount-flags.ts";
import { flags, NULL, openFlags, openHow, type PlanBuilder, struct, u64 } from "../plan/build.ts";
import type { HostAction } from "../plan/host-action.ts";
import type { NumberArg, OpenFlag, Pointee, Result, Source } from "../plan/step.ts";
import type { Session } from "./session.ts";
import { openSide, outputOf, pathBytes, resultOf, runSide, type Side } from "./side-batch.ts";

/** Bounds of one copy: an image must not keep `create` busy for ever. The tmpfs' size bounds the bytes. */
const MAX_ENTRIES = 1_000_000;
const MAX_DEPTH = 200;
const DIRENT_BUFFER = 32768;
const ENTRIES_A_BATCH = 128;
const CHUNK = 0x4000_0000;
const PATH_MAX = 4096;

interface Copy extends Side {
  entries: number;
}

interface Entry {
  /** Bytes, ended by NUL: a name need not be UTF-8. */
  readonly name: Pointee;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Device number, as mknod(2) takes it. */
  readonly dev: bigint;
  readonly times: Pointee;
}

/** Carries out the host action `copy-up`; `source` tells who asked for it. Throws SyscallError, TsruncError. */
export function copyUp(
  session: Session,
  action: Extract<HostAction, { do: "copy-up" }>,
  source: Source = { path: "", intent: "tmpcopyup" },
): void {
  const [from, to] = [action.from, action.to].map((step) => Number(session.results.get(step)));
  if (from === undefined || to === undefined) throw new Error("copy-up: the directories are not open");
  const { injectFailure: _, ...rest } = session;
  copyDirectory({ ...openSide(rest, source), entries: 0 }, from, to, 0);
}

function openBelow(p: PlanBuilder, directory: number, name: Pointee, how: readonly OpenFlag[]): Result {
  const resolve = flags(RESOLVE, "RESOLVE_BENEATH", "RESOLVE_NO_SYMLINKS");
  return p.call("openat2", [
    directory,
    name,
    openHow(openFlags(...how, "O_CLOEXEC"), resolve),
    OPEN_HOW_SIZE,
  ]);
}

function copyDirectory(copy: Copy, from: number, to: number, depth: number): void {
  if (depth > MAX_DEPTH)
    throw new TsruncError(`${copy.source.path}: tmpcopyup: more than ${MAX_DEPTH} directories deep`);
  const names = readNames(copy, from);
  copy.entries += names.length;
  if (copy.entries > MAX_ENTRIES)
    throw new TsruncError(`${copy.source.path}: tmpcopyup: more than ${MAX_ENTRIES} files`);
  for (let i = 0; i < names.length; i += ENTRIES_A_BATCH)
    for (const entry of statEntries(copy, from, names.slice(i, i + ENTRIES_A_BATCH)))
      copyEntry(copy, from, to, entry, depth);
}

function readNames(copy: Copy, directory: number): readonly Uint8Array[] {
  const opened = runSide(copy, (p) =>
    p.call("openat", [directory, ".", openFlags("O_RDONLY", "O_DIRECTORY", "O_CLOEXEC")]),
  );
  const fd = resultOf(copy, opened);
  const names: Uint8Array[] = [];
  for (;;) {
    const { buffer, got } = runSide(copy, (p) => {
      const buffer = p.buffer(DIRENT_BUFFER, "entries");
      return { buffer, got: p.call("getdents64", [fd, buffer, DIRENT_BUFFER]) };
    });
    const length = resultOf(copy, got);
    if (length === 0 || names.length > MAX_ENTRIES) break;
    parseNames(outputOf(copy, buffer).subarray(0, length), names);
  }
  runSide(copy, (p) => p.call("close", [fd]));
  return names;
}

/** struct linux_dirent64 (getdents64(2)): u64 inode, s64 offset, u16 length, u8 type, name with its NUL. */
function parseNames(bytes: Uint8Array, names: Uint8Array[]): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = 0; at < bytes.length; at += view.getUint16(at + 16, true)) {
    const end = bytes.indexOf(0, at + 19);
    const isSelfOrParent =
      bytes[at + 19] === 0x2e && (end === at + 20 || (end === at + 21 && bytes[at + 20] === 0x2e));
    if (!isSelfOrParent) names.push(bytes.slice(at + 19, end + 1));
  }
}

function statEntries(copy: Copy, directory: number, names: readonly Uint8Array[]): readonly Entry[] {
  const mask: NumberArg = { kind: "number", value: STATX_BASIC_STATS, text: "STATX_BASIC_STATS" };
  const asked = runSide(copy, (p) =>
    names.map((bytes) => {
      const name = pathBytes(bytes);
      const stat = p.buffer(STATX_SIZE, "stat");
      p.call("statx", [directory, name, flags(AT, "AT_SYMLINK_NOFOLLOW"), mask, stat]);
      return { name, stat };
    }),
  );
  return asked.map(({ name, stat }) => readEntry(name, outputOf(copy, stat)));
}

function readEntry(name: Pointee, stat: Uint8Array): Entry {
  const view = new DataView(stat.buffer, stat.byteOffset, stat.length);
  const time = (offset: number) => [
    u64("tv_sec", view.getBigInt64(offset, true)),
    u64("tv_nsec", view.getUint32(offset + 8, true)),
  ];
  const [major, minor] = [0, 4].map((at) => BigInt(view.getUint32(STATX_OFFSETS.rdev + at, true))) as [
    bigint,
    bigint,
  ];
  return {
    name,
    mode: view.getUint16(STATX_OFFSETS.mode, true),
    uid: view.getUint32(STATX_OFFSETS.uid, true),
    gid: view.getUint32(STATX_OFFSETS.gid, true),
    dev: (minor & 0xffn) | (major << 8n) | ((minor & ~0xffn) << 12n),
    times: struct(...time(STATX_OFFSETS.atime), ...time(STATX_OFFSETS.mtime)),
  };
}

function copyEntry(copy: Copy, from: number, to: number, entry: Entry, depth: number): void {
  const { name, mode } = entry;
  const type = mode & S.S_IFMT;
  if (type === S.S_IFDIR) copySubdirectory(copy, from, to, entry, depth);
  else if (type === S.S_IFREG) copyFile(copy, from, to, entry);
  else if (type === S.S_IFLNK) copyLink(copy, from, to, entry);
  else runSide(copy, (p) => p.call("mknodat", [to, name, mode, entry.dev]));
  runSide(copy, (p) => setMetadata(p, to, entry));
}

/** Owner first: a change of owner takes the set-user-ID bit away. */
function setMetadata(p: PlanBuilder, directory: number, { name, mode, uid, gid, times }: Entry): void {
  const noFollow = flags(AT, "AT_SYMLINK_NOFOLLOW");
  p.call("fchownat", [directory, name, uid, gid, noFollow]);
  // The entry was made by init a moment ago in a tmpfs that nobody else can see: it is no link.
  if ((mode & S.S_IFMT) !== S.S_IFLNK) p.call("fchmodat", [directory, name, mode & 0o7777]);
  p.call("utimensat", [directory, name, times, noFollow]);
}

function copySubdirectory(copy: Copy, from: number, to: number, { name }: Entry, depth: number): void {
  const opened = runSide(copy, (p) => {
    p.call("mkdirat", [to, name, 0o700]);
    return [from, to].map((directory) => openBelow(p, directory, name, ["O_PATH", "O_DIRECTORY"]));
  });
  const [source, target] = opened.map((result) => resultOf(copy, result)) as [number, number];
  copyDirectory(copy, source, target, depth + 1);
  runSide(copy, (p) => {
    p.call("close", [source]);
    p.call("close", [target]);
  });
}

function copyFile(copy: Copy, from: number, to: number, { name }: Entry): void {
  const opened = runSide(copy, (p) => [
    openBelow(p, from, name, ["O_RDONLY", "O_NONBLOCK", "O_NOCTTY"]),
    p.call("openat", [to, name, openFlags("O_WRONLY", "O_CREAT", "O_EXCL", "O_CLOEXEC"), 0o600]),
  ]);
  const [source, target] = opened.map((result) => resultOf(copy, result)) as [number, number];
  for (;;) {
    const sent = runSide(copy, (p) => p.call("sendfile", [target, source, NULL, CHUNK]));
    if (resultOf(copy, sent) === 0) break;
  }
  runSide(copy, (p) => {
    p.call("close", [source]);
    p.call("close", [target]);
  });
}

function copyLink(copy: Copy, from: number, to: number, { name }: Entry): void {
  const { buffer, got } = runSide(copy, (p) => {
    const buffer = p.buffer(PATH_MAX, "link");
    return { buffer, got: p.call("readlinkat", [from, name, buffer, PATH_MAX - 1]) };
  });
  const value = outputOf(copy, buffer).slice(0, resultOf(copy, got) + 1); // the buffer was zero: a NUL follows
  runSide(copy, (p) => p.call("symlinkat", [pathBytes(value), to, name]));
}
