// Lays out the data of a batch: out buffers first (they make up the out area), then strings and structures.
import type { Architecture } from "../linux/syscalls.ts";
import { putInteger } from "./integers.ts";
import type { Field, InitStep, OpenFlag, OpenFlagsArg, OutBuffer, Pointee } from "./step.ts";

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

/** A result of this batch that must be written into a structure before the call that takes it. */
export interface Store {
  readonly step: number;
  readonly offset: number;
  readonly width: 4 | 8;
}

export interface DataLayout {
  readonly bytes: Uint8Array;
  readonly relocations: readonly number[];
  readonly buffers: ReadonlyMap<OutBuffer, number>;
  readonly outLength: number;
  /** For each step, the stores that go before it. */
  readonly stores: readonly (readonly Store[])[];
  offsetOf(pointee: Pointee, step: number): number;
  openFlags(arg: OpenFlagsArg): number;
}

/**
 * `known` gives the result of a step of an earlier batch, or undefined for one of this batch; `content` what an
 * earlier batch left in an out buffer.
 */
export function layOut(
  steps: readonly InitStep[],
  arch: Architecture,
  known: (step: number) => bigint | undefined,
  content: (buffer: OutBuffer) => Uint8Array | undefined,
): DataLayout {
  const buffers = new Map<OutBuffer, number>();
  let length = 0;
  const visit = (pointee: Pointee): void => {
    if (pointee.kind === "buffer" && !buffers.has(pointee)) {
      buffers.set(pointee, length);
      length += (pointee.size + 7) & ~7;
    } else if (pointee.kind === "struct") {
      for (const field of pointee.fields) if (isPointee(field.value)) visit(field.value);
    }
  };
  for (const step of steps) {
    for (const arg of step.args) {
      if (arg.kind === "load") visit(arg.buffer);
      else if (arg.kind !== "number" && arg.kind !== "open-flags" && arg.kind !== "result") visit(arg);
    }
  }
  const outLength = length;

  let bytes = new Uint8Array(16384 + outLength);
  let view = new DataView(bytes.buffer);
  for (const [buffer, offset] of buffers) {
    const left = content(buffer);
    if (left) bytes.set(left, offset);
  }
  const relocations: number[] = [];
  const strings = new Map<string, number>();
  const stores: Store[][] = [];
  const offsets: (Map<Pointee, number> | undefined)[] = [];
  const encoder = new TextEncoder();

  const reserve = (size: number): number => {
    length = (length + 7) & ~7;
    const at = length;
    length += size;
    if (length > bytes.length) {
      const larger = new Uint8Array(Math.max(2 * bytes.length, length));
      larger.set(bytes);
      bytes = larger;
      view = new DataView(bytes.buffer);
    }
    return at;
  };
  const putString = (value: string): number => {
    const found = strings.get(value);
    if (found !== undefined) return found;
    // No string takes more than three bytes for each of its UTF-16 units.
    const at = reserve(3 * value.length + 1);
    const { written } = encoder.encodeInto(value, bytes.subarray(at));
    length = at + written + 1;
    strings.set(value, at);
    return at;
  };
  const putPointer = (at: number, target: number): void => {
    putInteger(view, at, 8, target);
    relocations.push(at);
  };
  const put = (pointee: Pointee, step: number): number => {
    switch (pointee.kind) {
      case "buffer":
        return buffers.get(pointee) as number;
      case "string":
        return putString(pointee.value);
      case "bytes": {
        const at = reserve(pointee.value.length);
        bytes.set(pointee.value, at);
        return at;
      }
      case "strings": {
        const at = reserve(8 * (pointee.values.length + 1));
        for (const [i, value] of pointee.values.entries()) putPointer(at + 8 * i, putString(value));
        return at;
      }
      case "struct":
        return putStruct(pointee.fields, step);
    }
  };
  const putStruct = (fields: readonly Field[], step: number): number => {
    const at = reserve(fields.reduce((sum, field) => sum + field.width, 0));
    let offset = at;
    for (const { value, width } of fields) {
      if (typeof value === "number" || typeof value === "bigint") putInteger(view, offset, width, value);
      else if (value.kind === "number") putInteger(view, offset, width, value.value);
      else if (value.kind === "open-flags") putInteger(view, offset, width, openFlagsNumber(value, arch));
      else if (value.kind === "result") {
        const number = known(value.step);
        if (number !== undefined) putInteger(view, offset, width, number);
        else if (width !== 4 && width !== 8) throw new Error("a result takes 4 or 8 bytes");
        else stores[step]?.push({ step: value.step, offset, width });
      } else putPointer(offset, put(value, step));
      offset += width;
    }
    return at;
  };

  for (let i = 0; i < steps.length; i++) {
    stores.push([]);
    for (const arg of (steps[i] as InitStep).args) {
      if (arg.kind === "number" || arg.kind === "open-flags" || arg.kind === "result" || arg.kind === "load")
        continue;
      const placed = offsets[i] ?? new Map<Pointee, number>();
      offsets[i] = placed;
      placed.set(arg, put(arg, i));
    }
  }
  return {
    bytes: bytes.subarray(0, length),
    relocations,
    buffers,
    outLength,
    stores,
    offsetOf: (pointee, step) => offsets[step]?.get(pointee) as number,
    openFlags: (arg) => openFlagsNumber(arg, arch),
  };
}

function isPointee(value: Field["value"]): value is Pointee {
  return (
    typeof value === "object" &&
    value.kind !== "number" &&
    value.kind !== "result" &&
    value.kind !== "open-flags"
  );
}
