// The format of batches and reports between the host and init; native-bindings/init/init.c is the other side.
// Little endian, as both architectures are.
//
//   batch:  header (32 bytes): u32 magic "TSRB", steps, relocations, length of data, offset and length of the out
//           area in the data, two reserved
//           steps (72 bytes each): u32 number, u8 kinds[6], u8 tolerated, u8 reserved, u16 skip after success,
//           u16 skip after a tolerated error, u16 errnos[4], u64 arguments[6]
//           relocations: u32 offsets in the data where the data's address is added; padded to 8 bytes
//           data, padded to 8 bytes
//   report: u32 magic "TSRR", type (0 done, 1 failed, 2 forked, 3 listening), index, i32 errno (forked: pid),
//           u32 number of results, length of the out area; i64 results; the out area
//           Type 3 is no answer of init's own: a plan sends it in the middle of a batch, with descriptors (see
//           describeListener).
import { type ErrnoName, errnoNumber } from "../linux/errno.ts";
import { type Architecture, syscallNumber } from "../linux/syscalls.ts";
import { struct, u32 } from "./build.ts";
import { type DataLayout, layOut } from "./data.ts";
import { putInteger } from "./integers.ts";
import type { Arg, InitStep, OutBuffer, Pointee } from "./step.ts";

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
  const data = layOut(steps, arch, (step) => (step < first ? known(step) : undefined), content);
  const start: number[] = []; // of each plan step, the index of its first wire step
  const main: number[] = []; // of each plan step, the index of the call itself
  const planIndex: number[] = [];
  for (let i = 0; i < steps.length; i++) {
    start.push(planIndex.length);
    for (let stores = data.stores[i]?.length ?? 0; stores > 0; stores--) planIndex.push(first + i);
    main.push(planIndex.length);
    planIndex.push(first + i);
  }
  start.push(planIndex.length);

  const { bytes, view, stepsAt } = allocate(planIndex.length, data);
  let at = stepsAt;
  for (let i = 0; i < steps.length; i++) {
    for (const store of data.stores[i] ?? []) {
      view.setUint32(at, OPERATIONS.store, true);
      putArgument(at, 0, KIND.result, resultIndex(store.step));
      putArgument(at, 1, KIND.immediate, store.offset);
      putArgument(at, 2, KIND.immediate, store.width);
      at += STEP_SIZE;
    }
    putStep(at, steps[i] as InitStep, i);
    at += STEP_SIZE;
  }
  return { bytes, planIndex, buffers: data.buffers };

  function putStep(at: number, step: InitStep, i: number): void {
    view.setUint32(at, callNumber(step.call, arch), true);
    for (let k = 0; k < step.args.length; k++) encodeArg(at, k, step.args[k] as Arg, i);
    view.setUint8(at + 10, step.tolerate.length);
    view.setUint16(at + 12, skip(step.nextOnSuccess, i), true);
    view.setUint16(at + 14, skip(step.nextOnError, i), true);
    for (let k = 0; k < step.tolerate.length; k++)
      view.setUint16(at + 16 + 2 * k, errnoNumber(step.tolerate[k] as ErrnoName), true);
  }

  function putArgument(at: number, k: number, kind: number, value: number | bigint): void {
    view.setUint8(at + 4 + k, kind);
    putInteger(view, at + 24 + 8 * k, 8, value);
  }

  function encodeArg(at: number, k: number, arg: Arg, i: number): void {
    if (arg.kind === "number") putArgument(at, k, KIND.immediate, arg.value);
    else if (arg.kind === "open-flags") putArgument(at, k, KIND.immediate, data.openFlags(arg));
    else if (arg.kind === "result") {
      if (arg.step < first) putArgument(at, k, KIND.immediate, known(arg.step));
      else putArgument(at, k, KIND.result, resultIndex(arg.step));
    } else if (arg.kind === "load") {
      const offset = (data.buffers.get(arg.buffer) ?? 0) + arg.offset;
      putArgument(at, k, arg.width === 4 ? KIND.load32 : KIND.load64, offset);
    } else putArgument(at, k, KIND.data, data.offsetOf(arg, i));
  }

  function skip(next: number | undefined, i: number): number {
    if (next === undefined) return 0;
    const from = main[i] as number;
    const to = start[next - first];
    if (to === undefined || to <= from) throw new Error(`a jump to step ${next} leaves its batch`);
    return to - from - 1;
  }

  function resultIndex(step: number): number {
    const index = main[step - first];
    if (index === undefined) throw new Error(`the result of step ${step} is used before it exists`);
    return index;
  }
}

function callNumber(call: InitStep["call"], arch: Architecture): number {
  return call in OPERATIONS
    ? OPERATIONS[call as keyof typeof OPERATIONS]
    : syscallNumber(call as Exclude<InitStep["call"], keyof typeof OPERATIONS>, arch);
}

/** The memory of a batch, with everything but its steps. */
function allocate(
  steps: number,
  { bytes: data, relocations, outLength }: DataLayout,
): { readonly bytes: Uint8Array; readonly view: DataView; readonly stepsAt: number } {
  const relocationsAt = HEADER_SIZE + STEP_SIZE * steps;
  const dataAt = relocationsAt + ((4 * relocations.length + 7) & ~7);
  const bytes = new Uint8Array(dataAt + ((data.length + 7) & ~7));
  const view = new DataView(bytes.buffer);
  const header = [MAGIC_BATCH, steps, relocations.length, data.length, 0, outLength];
  for (let i = 0; i < header.length; i++) view.setUint32(4 * i, header[i] as number, true);
  for (let i = 0; i < relocations.length; i++)
    view.setUint32(relocationsAt + 4 * i, relocations[i] as number, true);
  bytes.set(data, dataAt);
  return { bytes, view, stepsAt: HEADER_SIZE };
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
