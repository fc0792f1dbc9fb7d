// The format of batches and reports between the host and init; native-bindings/init/init.c is the other side.
// Little endian, as both architectures are.
//
//   batch:  header (32 bytes): u32 magic "TSRB", steps, relocations, length of the data, length of the out area at its
//           beginning, 1 if the out area's content is sent along (else it is 0), two reserved
//           steps (72 bytes each): u32 number, u8 kinds[6], u8 tolerated, u8 closes (bit k: argument k is a descriptor
//           that is closed once the call is done), u16 skip after success, u16 skip after a tolerated error,
//           u16 errnos[4], u64 arguments[6]
//           relocations: u32 offsets in the data where the data's address is added; padded to 8 bytes
//           data, without the out area unless that is sent, padded to 8 bytes
//   report: u32 magic "TSRR", type (0 done, 1 failed, 2 forked, 3 listening), index, i32 errno (forked: pid),
//           u32 number of results, length of the out area without the zeros at its end; i64 results; that part of the
//           out area
//           Type 3 is no answer of init's own: a plan sends it in the middle of a batch, with descriptors (see
//           describeListener).
import { type ErrnoName, errnoNumber } from "../linux/errno.ts";
import { type Architecture, syscallNumber } from "../linux/syscalls.ts";
import { struct, u32 } from "./build.ts";
import { BatchData, openFlagsNumber } from "./data.ts";
import { Memory } from "./memory.ts";
import type { Arg, InitStep, OutBuffer, Pointee, Result } from "./step.ts";

export const HEADER_SIZE = 32;
export const REPORT_SIZE = 24;
const STEP_SIZE = 72;
const MAGIC_BATCH = 0x42525354;
const MAGIC_REPORT = 0x52525354;

const REPORT_TYPES = ["done", "failed", "forked", "listening"] as const;

const OPERATIONS = { store: 0xffff0001, check: 0xffff0002, fork: 0xffff0003, serve: 0xffff0004 } as const;
const KIND = { immediate: 0, data: 1, result: 2, load32: 3, load64: 4 } as const;

export interface Batch {
  readonly bytes: Uint8Array;
  /** For each step of init's: the index of the plan's step that it belongs to. */
  readonly planIndex: readonly number[];
  /** Where each out buffer lies in the out area. */
  readonly buffers: ReadonlyMap<OutBuffer, number>;
}

/**
 * Encodes the steps from index `first` of a plan on. Results of steps before `first` are taken from `known`, and what
 * out buffers hold already from `content`.
 * Jumps must stay within the batch or go to its end.
 */
export function encodeBatch(
  steps: readonly InitStep[],
  first: number,
  known: (step: number) => bigint,
  arch: Architecture,
  content: (buffer: OutBuffer) => Uint8Array | undefined = () => undefined,
): Batch {
  const encoder = new BatchEncoder(steps, first, known, arch);
  encoder.encode();
  return encoder.assemble(content);
}

class BatchEncoder {
  readonly arch: Architecture;
  readonly #steps: readonly InitStep[];
  readonly #first: number;
  readonly #known: (step: number) => bigint;
  readonly #data: BatchData;
  readonly #memory: Memory;
  /** Of each plan step: the index of its first wire step, and of the call itself. */
  readonly #starts: number[] = [];
  readonly #calls: number[] = [];
  readonly #planIndex: number[] = [];
  /** Offsets, in the memory, of arguments that are offsets among the strings. */
  readonly #stringArguments: number[] = [];
  // The arguments of the step at hand: they are placed first, which may add steps that go before it.
  readonly #kinds: number[] = [0, 0, 0, 0, 0, 0];
  readonly #values: (number | bigint)[] = [0, 0, 0, 0, 0, 0];
  #strings = 0;

  constructor(
    steps: readonly InitStep[],
    first: number,
    known: (step: number) => bigint,
    arch: Architecture,
  ) {
    this.arch = arch;
    this.#steps = steps;
    this.#first = first;
    this.#known = known;
    this.#data = new BatchData(steps, this);
    this.#memory = new Memory(HEADER_SIZE + STEP_SIZE * (steps.length + 8));
    this.#memory.reserve(HEADER_SIZE);
  }

  known(result: Result): bigint | undefined {
    return result.step < this.#first ? this.#known(result.step) : undefined;
  }

  store(result: Result, offset: number, width: 4 | 8): void {
    const at = this.#addWireStep(OPERATIONS.store);
    this.#memory.bytes[at + 4] = KIND.result;
    this.#memory.putInteger(at + 24, 8, this.#callIndex(result));
    this.#memory.putInteger(at + 32, 8, offset);
    this.#memory.putInteger(at + 40, 8, width);
  }

  encode(): void {
    for (const step of this.#steps) {
      this.#starts.push(this.#planIndex.length);
      for (let k = 0; k < step.args.length; k++) this.#placeArgument(k, step.args[k] as Arg);
      this.#putStep(step);
    }
    this.#starts.push(this.#planIndex.length);
    for (let i = 0; i < this.#steps.length; i++) {
      const { nextOnSuccess, nextOnError } = this.#steps[i] as InitStep;
      if (nextOnSuccess !== undefined) this.#putSkip(i, 12, nextOnSuccess);
      if (nextOnError !== undefined) this.#putSkip(i, 14, nextOnError);
    }
  }

  /** Adds a wire step that belongs to the plan step at hand; gives its offset. */
  #addWireStep(number: number): number {
    this.#planIndex.push(this.#first + this.#starts.length - 1);
    const at = this.#memory.reserve(STEP_SIZE);
    this.#memory.putWord(at, number);
    return at;
  }

  #placeArgument(k: number, arg: Arg): void {
    if (typeof arg === "number" || typeof arg === "bigint") this.#setArgument(k, KIND.immediate, arg);
    else if (typeof arg === "string") this.#setString(k, this.#data.putString(arg));
    else if (arg.kind === "number") this.#setArgument(k, KIND.immediate, arg.value);
    else if (arg.kind === "open-flags") this.#setArgument(k, KIND.immediate, openFlagsNumber(arg, this.arch));
    else if (arg.kind === "result") {
      const known = this.known(arg);
      if (known !== undefined) this.#setArgument(k, KIND.immediate, known);
      else this.#setArgument(k, KIND.result, this.#callIndex(arg));
    } else if (arg.kind === "load") {
      const offset = (this.#data.buffers.get(arg.buffer) ?? 0) + arg.offset;
      this.#setArgument(k, arg.width === 4 ? KIND.load32 : KIND.load64, offset);
    } else {
      const { offset, isString } = this.#data.put(arg);
      if (isString) this.#setString(k, offset);
      else this.#setArgument(k, KIND.data, offset);
    }
  }

  #setArgument(k: number, kind: number, value: number | bigint): void {
    this.#kinds[k] = kind;
    this.#values[k] = value;
  }

  #setString(k: number, offset: number): void {
    this.#setArgument(k, KIND.data, offset);
    this.#strings |= 1 << k;
  }

  #putStep(step: InitStep): void {
    this.#calls.push(this.#planIndex.length);
    const at = this.#addWireStep(callNumber(step.call, this.arch));
    const { bytes } = this.#memory;
    for (let k = 0; k < step.args.length; k++) {
      bytes[at + 4 + k] = this.#kinds[k] as number;
      this.#memory.putInteger(at + 24 + 8 * k, 8, this.#values[k] as number | bigint);
      if (this.#strings & (1 << k)) this.#stringArguments.push(at + 24 + 8 * k);
    }
    this.#strings = 0;
    const { tolerate } = step;
    bytes[at + 10] = tolerate.length;
    bytes[at + 11] = step.closes ?? 0;
    for (let k = 0; k < tolerate.length; k++)
      this.#memory.putInteger(at + 16 + 2 * k, 2, errnoNumber(tolerate[k] as ErrnoName));
  }

  #putSkip(i: number, field: number, next: number): void {
    const from = this.#calls[i] as number;
    const to = this.#starts[next - this.#first];
    if (to === undefined || to <= from) throw new Error(`a jump to step ${next} leaves its batch`);
    this.#memory.putInteger(HEADER_SIZE + STEP_SIZE * from + field, 2, to - from - 1);
  }

  #callIndex({ step }: Result): number {
    const index = this.#calls[step - this.#first];
    if (index === undefined) throw new Error(`the result of step ${step} is used before it exists`);
    return index;
  }

  /** Puts header, steps, relocations and data together. */
  assemble(content: (buffer: OutBuffer) => Uint8Array | undefined): Batch {
    const data = this.#data;
    const memory = this.#memory;
    for (const at of this.#stringArguments) memory.add(at, data.stringsAt);
    const left = [...data.buffers].flatMap(([buffer, offset]) => {
      const bytes = content(buffer);
      return bytes ? [{ bytes, offset }] : [];
    });
    const { relocations } = data;
    const outLength = left.length > 0 ? data.outLength : 0;
    const relocationsAt = memory.length;
    const outAt = relocationsAt + ((4 * relocations.length + 7) & ~7);
    const dataAt = outAt + outLength;
    const bytes = new Uint8Array(dataAt + ((data.length - data.outLength + 7) & ~7));
    bytes.set(memory.bytes.subarray(0, memory.length));
    const words = new Uint32Array(bytes.buffer);
    const isOutSent = left.length > 0 ? 1 : 0;
    words.set([
      MAGIC_BATCH,
      this.#planIndex.length,
      relocations.length,
      data.length,
      data.outLength,
      isOutSent,
    ]);
    words.set(relocations, relocationsAt / 4);
    for (const { bytes: given, offset } of left) bytes.set(given, outAt + offset);
    data.copyTo(bytes.subarray(dataAt));
    return { bytes, planIndex: this.#planIndex, buffers: data.buffers };
  }
}

function callNumber(call: InitStep["call"], arch: Architecture): number {
  return call in OPERATIONS
    ? OPERATIONS[call as keyof typeof OPERATIONS]
    : syscallNumber(call as Exclude<InitStep["call"], keyof typeof OPERATIONS>, arch);
}

export interface ReportHeader {
  readonly type: (typeof REPORT_TYPES)[number];
  /** Index of init's step that failed or forked; the number of steps after success. */
  readonly index: number;
  /** errno of a failed step; pid of a fork. */
  readonly value: number;
  readonly resultCount: number;
  readonly outLength: number;
}

/** Decodes the first REPORT_SIZE bytes of a report. */
export function decodeReportHeader(bytes: Uint8Array): ReportHeader {
  const view = new DataView(bytes.buffer, bytes.byteOffset, REPORT_SIZE);
  const type = REPORT_TYPES[view.getUint32(4, true)];
  if (view.getUint32(0, true) !== MAGIC_REPORT || type === undefined) throw new Error("init sent no report");
  return {
    type,
    index: view.getUint32(8, true),
    value: view.getInt32(12, true),
    resultCount: view.getUint32(16, true),
    outLength: view.getUint32(20, true),
  };
}

/** The report that a step sends along with a seccomp listener: REPORT_SIZE bytes. */
export function describeListener(): Pointee {
  const type = REPORT_TYPES.indexOf("listening");
  return struct(
    u32("", { kind: "number", value: MAGIC_REPORT }),
    u32("type", { kind: "number", value: type, text: "listening" }),
    u32("", 0),
    u32("", 0),
    u32("", 0),
    u32("", 0),
  );
}
