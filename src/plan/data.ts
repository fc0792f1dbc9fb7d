// The data of a batch: structures and bytes, then strings, then the out area, which the out buffers make up.
import type { Architecture } from "../linux/syscalls.ts";
import { Memory } from "./memory.ts";
import type { Field, OpenFlag, OpenFlagsArg, OutBuffer, Pointee, Result } from "./step.ts";

// Sources: include/uapi/asm-generic/fcntl.h; aarch64 differs in arch/arm64/include/uapi/asm/fcntl.h.
const OPEN_FLAGS: Readonly<Record<OpenFlag, readonly [x86_64: number, aarch64: number]>> = {
  O_RDONLY: [0, 0],
  O_WRONLY: [1, 1],
  O_RDWR: [2, 2],
  O_CREAT: [0o100, 0o100],
  O_EXCL: [0o200, 0o200],
  O_NOCTTY: [0o400, 0o400],
  O_TRUNC: [0o1000, 0o1000],
  O_NONBLOCK: [0o4000, 0o4000],
  O_DIRECTORY: [0o200000, 0o40000],
  O_NOFOLLOW: [0o400000, 0o100000],
  O_CLOEXEC: [0o2000000, 0o2000000],
  O_PATH: [0o10000000, 0o10000000],
};

/** The number of flags of open(2) on an architecture. */
export function openFlagsNumber(arg: OpenFlagsArg, arch: Architecture): number {
  let value = 0;
  for (const name of arg.names) value |= OPEN_FLAGS[name][arch === "x86_64" ? 0 : 1];
  return value;
}

/** What the data needs of the batch that it is part of. */
export interface DataOwner {
  readonly arch: Architecture;
  /** The result of a step of an earlier batch, undefined for one of this batch. */
  known(result: Result): bigint | undefined;
  /** A result of this batch must be written at `offset` before the call that takes the structure. */
  store(result: Result, offset: number, width: 4 | 8): void;
}

type Struct = Pointee & { readonly kind: "struct" };

/** Where something stands: at an offset in its part of the data. */
export interface Placed {
  readonly part: "structs" | "strings" | "out";
  readonly offset: number;
}

/** Offsets of numbers that count from the beginning of a part whose place is known only at the end. */
interface Late {
  readonly strings: number[];
  readonly out: number[];
}

export class BatchData {
  /** Where each out buffer lies in the out area. */
  readonly buffers = new Map<OutBuffer, number>();
  /** Bytes of the out area. */
  outLength = 0;
  /** Offsets of pointers. */
  readonly relocations: number[] = [];
  readonly #owner: DataOwner;
  /** Structures and bytes. */
  readonly #structs = new Memory(4096);
  readonly #late: Late = { strings: [], out: [] };
  readonly #placed = new Map<Pointee, number>();
  readonly #strings = new Map<string, number>();
  #text = "";
  #textLength = 0;

  constructor(owner: DataOwner) {
    this.#owner = owner;
  }

  /** Offset of a string among the strings; equal ones have one place. */
  putString(value: string): number {
    const found = this.#strings.get(value);
    if (found !== undefined) return found;
    const at = this.#textLength;
    this.#strings.set(value, at);
    this.#text += `${value}\0`;
    this.#textLength += Buffer.byteLength(value) + 1;
    return at;
  }

  /** Offset of a buffer in the out area. */
  putBuffer(buffer: OutBuffer): number {
    const found = this.buffers.get(buffer);
    if (found !== undefined) return found;
    const at = this.outLength;
    this.buffers.set(buffer, at);
    this.outLength += (buffer.size + 7) & ~7;
    return at;
  }

  /** Where a pointee stands. One that is put before has one place. */
  put(pointee: Pointee): Placed {
    if (pointee.kind === "string") return { part: "strings", offset: this.putString(pointee.value) };
    if (pointee.kind === "buffer") return { part: "out", offset: this.putBuffer(pointee) };
    const offset = this.#placed.get(pointee) ?? this.#place(pointee);
    return { part: "structs", offset };
  }

  /** As {@link put}, for a structure that takes results: another step's stores into it may be jumped over. */
  putAnew(pointee: Struct): Placed {
    return { part: "structs", offset: this.#place(pointee) };
  }

  #place(pointee: Exclude<Pointee, OutBuffer | { kind: "string" }>): number {
    const at = this.#structs.reserve(sizeOf(pointee));
    this.#placed.set(pointee, at);
    if (pointee.kind === "bytes") this.#structs.putBytes(at, pointee.value);
    else if (pointee.kind === "struct") this.#putFields(at, pointee.fields);
    else {
      for (const [i, value] of pointee.values.entries())
        this.#putPointer(at + 8 * i, { part: "strings", offset: this.putString(value) });
    }
    return at;
  }

  #putPointer(at: number, { part, offset }: Placed): void {
    this.#structs.putInteger(at, 8, offset);
    if (part !== "structs") this.#late[part].push(at);
    this.relocations.push(at);
  }

  #putFields(at: number, fields: readonly Field[]): void {
    let offset = at;
    for (const { value, width } of fields) {
      if (typeof value !== "object") this.#structs.putInteger(offset, width, value);
      else if (value.kind === "number") this.#structs.putInteger(offset, width, value.value);
      else if (value.kind === "open-flags")
        this.#structs.putInteger(offset, width, openFlagsNumber(value, this.#owner.arch));
      else if (value.kind === "result") this.#putResult(offset, width, value);
      else if (value.kind === "struct" && value.takesResults) this.#putPointer(offset, this.putAnew(value));
      else this.#putPointer(offset, this.put(value));
      offset += width;
    }
  }

  #putResult(offset: number, width: Field["width"], result: Result): void {
    const known = this.#owner.known(result);
    if (known !== undefined) this.#structs.putInteger(offset, width, known);
    else if (width !== 4 && width !== 8) throw new Error("a result takes 4 or 8 bytes");
    else this.#owner.store(result, offset, width);
  }

  /** Where the strings begin, once everything is put. */
  get stringsAt(): number {
    return (this.#structs.length + 7) & ~7;
  }

  /** Where the out area begins, once everything is put. */
  get outAt(): number {
    return this.stringsAt + ((this.#textLength + 7) & ~7);
  }

  /** Writes everything but the out area. */
  copyTo(target: Uint8Array): void {
    for (const at of this.#late.strings) this.#structs.add(at, this.stringsAt);
    for (const at of this.#late.out) this.#structs.add(at, this.outAt);
    target.set(this.#structs.bytes.subarray(0, this.#structs.length));
    new TextEncoder().encodeInto(this.#text, target.subarray(this.stringsAt));
  }
}

function sizeOf(pointee: Exclude<Pointee, OutBuffer | { kind: "string" }>): number {
  if (pointee.kind === "bytes") return pointee.value.length;
  if (pointee.kind === "strings") return 8 * (pointee.values.length + 1);
  let size = 0;
  for (const field of pointee.fields) size += field.width;
  return size;
}
