// The format of batches and reports between the host and init; native-bindings/init/init.c is the other side.
// Little endian, as both architectures are.
//
//   batch:  header (32 bytes): u32 magic "TSRB", steps, relocations, length of the data, length of the out area behind
//           it (both multiples of 8), 1 if the out area's content is sent along (else it is 0), number of the batch,
//           reserved
//           steps (72 bytes each): u32 number, u8 kinds[6] (see KIND), u8 tolerated, u8 closes (bit k: argument k is a
//           descriptor that is closed once the call is done), u16 skip after success, u16 skip after a tolerated error,
//           u16 errnos[4], u64 arguments[6]
//           relocations: u32 offsets in the data where the data's address is added; padded to 8 bytes
//           data; the out area if it is sent. Offsets in the data go on into the out area.
//   report: u32 magic "TSRR", u16 type (0 done, 1 failed, 2 forked, 3 listening), u16 index, u32 number of the batch,
//           i32 errno (forked: pid), u32 number of results, length of the out area without the zeros at its end;
//           i64 results; that part of the out area
//           Type 3 is no answer of init's own: a plan sends it in the middle of a batch, with descriptors
//           (src/compile/seccomp-listener.ts).
import { type ErrnoName, errnoNumber } from "../linux/errno.ts";
import { type Architecture, syscallNumber } from "../linux/syscalls.ts";
import { BatchData, openFlagsNumber } from "./data.ts";
import { Memory } from "./memory.ts";
import type { Arg, InitStep, OutBuffer, Result } from "./step.ts";

export const HEADER_SIZE = 32;
const STEP_SIZE = 72;
const MAGIC_BATCH = 0x42525354;

const OPERATIONS = { store: 0xffff0001, check: 0xffff0002, fork: 0xffff0003, serve: 0xffff0004 } as const;
const TWO_32 = 2 ** 32;
/** `eachBit`: the call is made once for each bit of the argument, which then is that bit's number. */
const KIND = { immediate: 0, data: 1, result: 2, load32: 3, load64: 4, eachBit: 5 } as const;

export interface Batch {
  readonly bytes: Uint8Array;
  /** Index in the batch of the plan's step that forks; -1 without one. */
  readonly fork: number;
  /** For each step of init's: the index of the plan's step that it belongs to. */
  readonly planIndex: readonly number[];
  /** Where each out buffer lies in the out area. */
  readonly buffers: ReadonlyMap<OutBuffer, number>;
}

/** The number that reports about a batch carry; 0 unless set. A process that init has made may report on an older one. */
export function numberBatch({ bytes }: Batch, number: number): void {
  new Uint32Array(bytes.buffer)[6] = number;
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
  #fork = -1;
  /** Offsets, in the memory, of arguments that are offsets among the strings or in the out area. */
  readonly #late = { strings: [] as number[], out: [] as number[] };

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
    this.#data = new BatchData(this);
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
      // What has to be written before the call is a step before it.
      for (const arg of step.args)
        if (typeof arg === "object" && arg.kind === "struct" && arg.takesResults) this.#data.putAnew(arg);
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
    this.#memory.words[at >> 2] = number;
    return at;
  }

  // Hundreds of steps go through this in an interpreter: plain stores where a value is plain.
  #putStep({ call, args, tolerate, closes }: InitStep): void {
    if (call === "fork") this.#fork = this.#calls.length;
    this.#calls.push(this.#planIndex.length);
    const at = this.#addWireStep(callNumber(call, this.arch));
    const { bytes, words } = this.#memory;
    for (let k = 0; k < args.length; k++) {
      const arg = args[k] as Arg;
      const valueAt = at + 24 + 8 * k;
      if (typeof arg === "number" && arg >= 0 && arg < TWO_32) words[valueAt >> 2] = arg;
      else if (typeof arg === "string") {
        bytes[at + 4 + k] = KIND.data;
        words[valueAt >> 2] = this.#data.putString(arg);
        this.#late.strings.push(valueAt);
      } else bytes[at + 4 + k] = this.#putArgument(valueAt, arg);
    }
    if (closes !== undefined) bytes[at + 11] = closes;
    if (tolerate.length === 0) return;
    bytes[at + 10] = tolerate.length;
    for (let k = 0; k < tolerate.length; k++)
      this.#memory.putInteger(at + 16 + 2 * k, 2, errnoNumber(tolerate[k] as ErrnoName));
  }

  /** Writes the value of an argument that is no plain one, and gives its kind. */
  #putArgument(at: number, arg: Exclude<Arg, string>): number {
    if (typeof arg !== "object") return this.#putValue(at, KIND.immediate, arg);
    switch (arg.kind) {
      case "number":
        return this.#putValue(at, KIND.immediate, arg.value);
      case "open-flags":
        return this.#putValue(at, KIND.immediate, openFlagsNumber(arg, this.arch));
      case "result": {
        const known = this.known(arg);
        if (known !== undefined) return this.#putValue(at, KIND.immediate, known);
        return this.#putValue(at, KIND.result, this.#callIndex(arg));
      }
      case "each-bit":
        return this.#putValue(at, KIND.eachBit, arg.mask);
      case "load": {
        const offset = this.#data.putBuffer(arg.buffer) + arg.offset;
        this.#late.out.push(at);
        return this.#putValue(at, arg.width === 4 ? KIND.load32 : KIND.load64, offset);
      }
      default: {
        const { part, offset } = this.#data.put(arg);
        if (part !== "structs") this.#late[part].push(at);
        return this.#putValue(at, KIND.data, offset);
      }
    }
  }

  #putValue(at: number, kind: number, value: number | bigint): number {
    this.#memory.putInteger(at, 8, value);
    return kind;
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
    const { relocations, outLength, outAt } = data;
    for (const at of this.#late.strings) memory.add(at, data.stringsAt);
    for (const at of this.#late.out) memory.add(at, outAt);
    const left: { readonly bytes: Uint8Array; readonly offset: number }[] = [];
    for (const [buffer, offset] of data.buffers) {
      const bytes = content(buffer);
      if (bytes) left.push({ bytes, offset });
    }
    const isOutSent = left.length > 0;
    const relocationsAt = memory.length;
    const dataAt = relocationsAt + ((4 * relocations.length + 7) & ~7);
    const bytes = new Uint8Array(dataAt + outAt + (isOutSent ? outLength : 0));
    bytes.set(memory.bytes.subarray(0, memory.length));
    const words = new Uint32Array(bytes.buffer);
    words.set([MAGIC_BATCH, this.#planIndex.length, relocations.length, outAt, outLength, isOutSent ? 1 : 0]);
    words.set(relocations, relocationsAt / 4);
    data.copyTo(bytes.subarray(dataAt));
    for (const { bytes: given, offset } of left) bytes.set(given, dataAt + outAt + offset);
    return { bytes, fork: this.#fork, planIndex: this.#planIndex, buffers: data.buffers };
  }
}

function callNumber(call: InitStep["call"], arch: Architecture): number {
  return call in OPERATIONS
    ? OPERATIONS[call as keyof typeof OPERATIONS]
    : syscallNumber(call as Exclude<InitStep["call"], keyof typeof OPERATIONS>, arch);
}
