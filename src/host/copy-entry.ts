// What is in a directory that is copied up, and the steps that make one entry of it anew. All entries of a batch are
// made without asking the host in between; the few that are not as statx(2) has told are made again, one by one.
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
import type { NumberArg, OpenFlag, Pointee, Result } from "../plan/step.ts";
import { outputOf, pathBytes, resultOf, runSide, type Side } from "./side-batch.ts";

/** Most bytes that one sendfile(2) shall copy: a batch has its time limit. */
const CHUNK = 256 << 20;
const PATH_MAX = 4096;
const NO_FOLLOW = flags(AT, "AT_SYMLINK_NOFOLLOW");
const BASIC_STATS: NumberArg = { kind: "number", value: STATX_BASIC_STATS, text: "STATX_BASIC_STATS" };

export interface Entry {
  /** Bytes, ended by NUL: a name need not be UTF-8. */
  readonly name: Pointee;
  /** Of S_IFMT. */
  readonly type: number;
  /** The bits of chmod(2). */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes; of a link, those of its text. */
  readonly size: number;
  /** Device number, as mknod(2) takes it. */
  readonly dev: bigint;
  readonly times: Pointee;
}

/** Descriptors of a directory of the image and of its copy. */
export interface Pair {
  readonly from: number | Result;
  readonly to: number | Result;
}

/** Looks at entries of a directory; `names` end with NUL. */
export function statEntries(side: Side, { from }: Pair, names: readonly Uint8Array[]): readonly Entry[] {
  const asked = runSide(side, (p) =>
    names.map((bytes) => {
      const name = pathBytes(bytes);
      const stat = p.buffer(STATX_SIZE, "stat");
      p.call("statx", [from, name, NO_FOLLOW, BASIC_STATS, stat]);
      return { name, stat };
    }),
  );
  return asked.map(({ name, stat }) => readEntry(name, outputOf(side, stat)));
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
  const mode = view.getUint16(STATX_OFFSETS.mode, true);
  return {
    name,
    type: mode & S.S_IFMT,
    mode: mode & 0o7777,
    uid: view.getUint32(STATX_OFFSETS.uid, true),
    gid: view.getUint32(STATX_OFFSETS.gid, true),
    size: Number(view.getBigUint64(STATX_OFFSETS.size, true)),
    dev: (minor & 0xffn) | (major << 8n) | ((minor & ~0xffn) << 12n),
    times: struct(...time(STATX_OFFSETS.atime), ...time(STATX_OFFSETS.mtime)),
  };
}

/** Opens a directory or file below one, without following links. */
export function openBelow(
  p: PlanBuilder,
  directory: Pair["from"],
  name: Pointee,
  how: readonly OpenFlag[],
): Result {
  const resolve = flags(RESOLVE, "RESOLVE_BENEATH", "RESOLVE_NO_SYMLINKS");
  const flagged = openHow(openFlags(...how, "O_CLOEXEC"), resolve);
  return p.call("openat2", [directory, name, flagged, OPEN_HOW_SIZE]);
}

/**
 * Adds the steps that make an entry; a directory stays empty, and 0700 until {@link setMetadata}. Gives the result that
 * must be the entry's size, or the entry has to be made by {@link remakeEntry}.
 */
export function makeEntry(p: PlanBuilder, pair: Pair, entry: Entry): Result | undefined {
  const { name, type, mode, dev } = entry;
  if (type === S.S_IFDIR) {
    p.call("mkdirat", [pair.to, name, 0o700]);
    return undefined;
  }
  let copied: Result | undefined;
  if (type === S.S_IFREG) copied = copyContent(p, pair, entry);
  else if (type === S.S_IFLNK) copied = copyText(p, pair, entry);
  else p.call("mknodat", [pair.to, name, type | mode, dev]);
  setMetadata(p, pair.to, entry);
  return copied;
}

function openFiles(p: PlanBuilder, { from, to }: Pair, name: Pointee, how: OpenFlag): [Result, Result] {
  const source = openBelow(p, from, name, ["O_RDONLY", "O_NONBLOCK", "O_NOCTTY"]);
  const flagged = openFlags("O_WRONLY", "O_CREAT", how, "O_NOFOLLOW", "O_CLOEXEC");
  return [source, p.call("openat", [to, name, flagged, 0o600])];
}

/** One byte more than the file has is asked for, to see one that has grown. */
function copyContent(p: PlanBuilder, pair: Pair, { name, size }: Entry): Result {
  const [source, target] = openFiles(p, pair, name, "O_EXCL");
  const sent = p.call("sendfile", [target, source, NULL, size + 1]);
  p.call("close", [source]);
  p.call("close", [target]);
  return sent;
}

/** As with a file's content; the buffer's zeros end the text in any case. */
function copyText(p: PlanBuilder, { from, to }: Pair, { name, size }: Entry): Result {
  const length = Math.min(size, PATH_MAX) + 1;
  const text = p.buffer(length + 1, "link");
  const got = p.call("readlinkat", [from, name, text, length]);
  p.call("symlinkat", [text, to, name]);
  return got;
}

/** Owner first: a change of owner takes the set-user-ID bit away. */
export function setMetadata(
  p: PlanBuilder,
  directory: Pair["to"],
  { name, type, mode, uid, gid, times }: Entry,
): void {
  p.call("fchownat", [directory, name, uid, gid, NO_FOLLOW]);
  // The entry was made by init a moment ago in a tmpfs that nobody else can see: it is no link.
  if (type !== S.S_IFLNK) p.call("fchmodat", [directory, name, mode]);
  p.call("utimensat", [directory, name, times, NO_FOLLOW]);
}

/** Makes an entry in as many batches as it takes, whatever there is of it already. */
export function remakeEntry(side: Side, pair: Pair, entry: Entry): void {
  if (entry.type === S.S_IFREG) {
    const opened = runSide(side, (p) => openFiles(p, pair, entry.name, "O_TRUNC"));
    const [source, target] = opened.map((result) => resultOf(side, result)) as [number, number];
    for (;;) {
      const sent = runSide(side, (p) => p.call("sendfile", [target, source, NULL, CHUNK]));
      if (resultOf(side, sent) === 0) break;
    }
    runSide(side, (p) => {
      p.call("close", [source]);
      p.call("close", [target]);
      setMetadata(p, pair.to, entry);
    });
  } else {
    runSide(side, (p) => {
      p.call("unlinkat", [pair.to, entry.name, 0], { tolerate: ["ENOENT"] });
      copyText(p, pair, { ...entry, size: PATH_MAX });
      setMetadata(p, pair.to, entry);
    });
  }
}
