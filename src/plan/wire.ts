// The format of batches and reports between the host and init; native-bindings/init/init.c is the other side.
// Little endian, as both architectures are.
//
//   batch:  header (32 bytes): u32 magic "TSRB", steps, relocations, length of data, offset and length of the out
//           area in the data, two reserved
//           steps (72 bytes each): u32 number, u8 kinds[6], u8 tolerated, u8 reserved, u16 skip after success,
//           u16 skip after a tolerated error, u16 errnos[4], u64 arguments[6]
//           relocations: u32 offsets in the data where the data's address is added; padded to 8 bytes
//           data, padded to 8 bytes
//   report: u32 magic "TSRR", type (0 done, 1 failed, 2 forked), index, i32 errno (forked: pid), u32 number of
//           results, length of the out area; i64 results; the out area
import { errnoNumber } from "../linux/errno.ts";
import { type Architecture, syscallNumber } from "../linux/syscalls.ts";
import { layOut } from "./data.ts";
import type { Arg, InitStep, OutBuffer } from "./step.ts";

export const HEADER_SIZE = 32;
export const REPORT_SIZE = 24;
const STEP_SIZE = 72;
const MAGIC_BATCH = 0x42525354;
const MAGIC_REPORT = 0x52525354;

const OPERATIONS = { store: 0xffff0001, check: 0xffff0002, fork: 0xffff0003, serve: 0xffff0004 } as const;
const KIND = { immediate: 0, data: 1, result: 2, load32: 3, load64: 4 } as const;

/** One step as init sees it. */
interface WireStep {
  readonly number: number;
  readonly args: readonly (readonly [kind: number, value: bigint])[];
  readonly errnos: readonly number[];
  skipOk: number;
  skipError: number;
}

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
  const wire: WireStep[] = [];
  const planIndex: number[] = [];
  const start: number[] = []; // of each plan step, the index of its first wire step
  const main: number[] = []; // of each plan step, the index of the call itself
  for (const [i, step] of steps.entries()) {
    start.push(wire.length);
    for (const store of data.stores[i] ?? []) {
      const value = [KIND.result, BigInt(resultIndex(store.step))] as const;
      wire.push({
        number: OPERATIONS.store,
        args: [value, [KIND.immediate, BigInt(store.offset)], [KIND.immediate, BigInt(store.width)]],
        errnos: [],
        skipOk: 0,
        skipError: 0,
      });
      planIndex.push(first + i);
    }
    main.push(wire.length);
    planIndex.push(first + i);
    wire.push({
      number:
        step.call in OPERATIONS
          ? OPERATIONS[step.call as keyof typeof OPERATIONS]
          : syscallNumber(step.call as Exclude<InitStep["call"], keyof typeof OPERATIONS>, arch),
      args: step.args.map((arg) => encodeArg(arg, i)),
      errnos: step.tolerate.map(errnoNumber),
      skipOk: 0,
      skipError: 0,
    });
  }
  start.push(wire.length);
  for (const [i, step] of steps.entries()) {
    const at = main[i] as number;
    const target = wire[at] as WireStep;
    target.skipOk = skip(step.nextOnSuccess, at);
    target.skipError = skip(step.nextOnError, at);
  }
  return {
    bytes: pack(wire, data.bytes, data.relocations, data.outLength),
    planIndex,
    buffers: data.buffers,
  };

  function skip(next: number | undefined, at: number): number {
    if (next === undefined) return 0;
    const to = start[next - first];
    if (to === undefined || to <= at) throw new Error(`a jump to step ${next} leaves its batch`);
    return to - at - 1;
  }

  function resultIndex(step: number): number {
    const index = main[step - first];
    if (index === undefined) throw new Error(`the result of step ${step} is used before it exists`);
    return index;
  }

  function encodeArg(arg: Arg, i: number): readonly [number, bigint] {
    switch (arg.kind) {
      case "number":
        return [KIND.immediate, BigInt.asUintN(64, BigInt(arg.value))];
      case "open-flags":
        return [KIND.immediate, BigInt(data.openFlags(arg))];
      case "result":
        if (arg.step < first) return [KIND.immediate, BigInt.asUintN(64, known(arg.step))];
        return [KIND.result, BigInt(resultIndex(arg.step))];
      case "load":
        return [
          arg.width === 4 ? KIND.load32 : KIND.load64,
          BigInt((data.buffers.get(arg.buffer) ?? 0) + arg.offset),
        ];
      default:
        return [KIND.data, BigInt(data.offsetOf(arg, i))];
    }
  }
}

function pack(
  steps: readonly WireStep[],
  data: Uint8Array,
  relocations: readonly number[],
  outLength: number,
): Uint8Array {
  const relocationBytes = (4 * relocations.length + 7) & ~7;
  const bytes = new Uint8Array(
    HEADER_SIZE + STEP_SIZE * steps.length + relocationBytes + ((data.length + 7) & ~7),
  );
  const view = new DataView(bytes.buffer);
  const header = [MAGIC_BATCH, steps.length, relocations.length, data.length, 0, outLength];
  for (const [i, value] of header.entries()) view.setUint32(4 * i, value, true);
  let at = HEADER_SIZE;
  for (const step of steps) {
    view.setUint32(at, step.number, true);
    for (const [i, [kind, value]] of step.args.entries()) {
      view.setUint8(at + 4 + i, kind);
      view.setBigUint64(at + 24 + 8 * i, value, true);
    }
    view.setUint8(at + 10, step.errnos.length);
    view.setUint16(at + 12, step.skipOk, true);
    view.setUint16(at + 14, step.skipError, true);
    for (const [i, errno] of step.errnos.entries()) view.setUint16(at + 16 + 2 * i, errno, true);
    at += STEP_SIZE;
  }
  for (const [i, offset] of relocations.entries()) view.setUint32(at + 4 * i, offset, true);
  bytes.set(data, at + relocationBytes);
  return bytes;
}

export interface ReportHeader {
  readonly type: "done" | "failed" | "forked";
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
  const type = (["done", "failed", "forked"] as const)[view.getUint32(4, true)];
  if (view.getUint32(0, true) !== MAGIC_REPORT || type === undefined) throw new Error("init sent no report");
  return {
    type,
    index: view.getUint32(8, true),
    value: view.getInt32(12, true),
    resultCount: view.getUint32(16, true),
    outLength: view.getUint32(20, true),
  };
}
