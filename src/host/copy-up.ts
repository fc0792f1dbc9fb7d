// tmpcopyup: fills a new tmpfs with what the image has at the place that it covers. Reading and writing is done by
// init, in the container's namespaces; this side only says what comes next. Every entry is opened below a directory
// that is held open, without following links, so the image cannot lead the copy astray.
//
// What the host waits for is what takes the time: many entries are looked at, and then made, in one batch each.
import { TsruncError } from "../errors.ts";
import { S } from "../linux/mount-flags.ts";
import { openFlags, type PlanBuilder } from "../plan/build.ts";
import type { HostAction } from "../plan/host-action.ts";
import type { OutBuffer, Result, Source } from "../plan/step.ts";
import {
  type Entry,
  makeEntry,
  openBelow,
  type Pair,
  remakeEntry,
  setMetadata,
  statEntries,
} from "./copy-entry.ts";
import type { Session } from "./session.ts";
import { openSide, outputOf, resultOf, runSide, type Side } from "./side-batch.ts";

/** Bounds of one copy: an image must not keep `create` busy for ever. The tmpfs' size bounds the bytes. */
const MAX_ENTRIES = 1_000_000;
const MAX_DEPTH = 200;
const DIRENT_BUFFER = 16384;
/** Bounds of one batch: its steps, and the bytes of files that it copies. A larger file has batches of its own. */
const ENTRIES_A_BATCH = 256;
const BYTES_A_BATCH = 64 << 20;

interface Copy extends Side {
  entries: number;
  /** What nothing waits for, for the next batch to begin with. */
  readonly deferred: ((p: PlanBuilder) => void)[];
}

interface Directory {
  readonly from: number;
  readonly to: number;
}

interface Read {
  readonly buffer: OutBuffer;
  readonly length: Result;
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
  const copy: Copy = { ...openSide(rest, source), entries: 0, deferred: [] };
  const flags = openFlags("O_RDONLY", "O_DIRECTORY", "O_CLOEXEC");
  const whole = copyDirectory(copy, (p) => ({ from: p.call("openat", [from, ".", flags]), to }), 0);
  run(copy, (p) => p.call("close", [whole.from]));
}

function run<T>(copy: Copy, build: (p: PlanBuilder) => T): T {
  return runSide(copy, (p) => {
    for (const add of copy.deferred.splice(0)) add(p);
    return build(p);
  });
}

/** Copies all that is in a directory, and leaves it and its copy open. */
function copyDirectory(copy: Copy, open: (p: PlanBuilder) => Pair, depth: number): Directory {
  if (depth > MAX_DEPTH)
    throw new TsruncError(`${copy.source.path}: tmpcopyup: more than ${MAX_DEPTH} directories deep`);
  const { pair, first } = run(copy, (p) => {
    const pair = open(p);
    return { pair, first: readNames(p, pair.from) };
  });
  const descriptor = (end: Pair["from"]): number => (typeof end === "number" ? end : resultOf(copy, end));
  const directory = { from: descriptor(pair.from), to: descriptor(pair.to) };
  for (let reads = first; ; ) {
    const names: Uint8Array[] = [];
    const hasMore = reads.every((read) => takeNames(copy, read, names));
    copyEntries(copy, directory, names, depth);
    if (!hasMore) return directory;
    reads = run(copy, (p) => readNames(p, directory.from));
  }
}

/** Most directories have few entries: then the second call tells that there are no more. */
function readNames(p: PlanBuilder, directory: Pair["from"]): readonly Read[] {
  return [1, 2].map(() => {
    const buffer = p.buffer(DIRENT_BUFFER, "entries");
    return { buffer, length: p.call("getdents64", [directory, buffer, DIRENT_BUFFER]) };
  });
}

/** False at the directory's end. */
function takeNames(copy: Copy, { buffer, length }: Read, names: Uint8Array[]): boolean {
  const bytes = outputOf(copy, buffer).subarray(0, resultOf(copy, length));
  parseNames(bytes, names);
  return bytes.length > 0;
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

function copyEntries(copy: Copy, directory: Directory, names: readonly Uint8Array[], depth: number): void {
  copy.entries += names.length;
  if (copy.entries > MAX_ENTRIES)
    throw new TsruncError(`${copy.source.path}: tmpcopyup: more than ${MAX_ENTRIES} files`);
  for (let i = 0; i < names.length; i += ENTRIES_A_BATCH) {
    const entries = statEntries(copy, directory, names.slice(i, i + ENTRIES_A_BATCH));
    for (const batch of divide(entries)) makeEntries(copy, directory, batch);
    for (const entry of entries)
      if (entry.type === S.S_IFDIR) copySubdirectory(copy, directory, entry, depth + 1);
  }
}

/** Parts that copy at most BYTES_A_BATCH each, but for files that are alone. */
function divide(entries: readonly Entry[]): readonly (readonly Entry[])[] {
  const parts: Entry[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const entry of entries) {
    const size = entry.type === S.S_IFREG ? entry.size : 0;
    if (bytes + size > BYTES_A_BATCH) {
      parts.push([]);
      bytes = 0;
    }
    bytes += size;
    parts.at(-1)?.push(entry);
  }
  return parts;
}

function makeEntries(copy: Copy, directory: Directory, entries: readonly Entry[]): void {
  const isLarge = ({ type, size }: Entry): boolean => type === S.S_IFREG && size > BYTES_A_BATCH;
  const small = entries.filter((entry) => !isLarge(entry));
  const made = run(copy, (p) => small.map((entry) => makeEntry(p, directory, entry)));
  const others = small.filter((entry, i) => {
    const copied = made[i];
    return copied !== undefined && resultOf(copy, copied) !== entry.size;
  });
  for (const entry of [...others, ...entries.filter(isLarge)]) remakeEntry(copy, directory, entry);
}

/** A directory's times are set when nothing is made in it any more. */
function copySubdirectory(copy: Copy, parent: Directory, entry: Entry, depth: number): void {
  const open = (p: PlanBuilder): Pair => ({
    from: openBelow(p, parent.from, entry.name, ["O_RDONLY", "O_DIRECTORY"]),
    to: openBelow(p, parent.to, entry.name, ["O_PATH", "O_DIRECTORY"]),
  });
  const { from, to } = copyDirectory(copy, open, depth);
  copy.deferred.push((p) => {
    p.call("close", [from]);
    p.call("close", [to]);
    setMetadata(p, parent.to, entry);
  });
}
