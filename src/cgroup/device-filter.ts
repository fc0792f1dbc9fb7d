// Assembles the program that the kernel asks about each access of a cgroup v2 to a device
// (BPF_PROG_TYPE_CGROUP_DEVICE, Linux 4.15; include/uapi/linux/bpf.h; instruction set: bpf/standardization).
import type { DeviceAccess, DeviceException } from "./device-rules.ts";

// Registers: R1 holds the context at the start, and the result is in R0 at the end.
const RESULT = 0;
const CONTEXT = 1;
const SCRATCH = 1; // after the context's fields are loaded
const TYPE = 2;
const ASKED = 3;
const MAJOR = 4;
const MINOR = 5;

// Operations; all arithmetic and jumps are on 32 bits, so that no number is taken for a negative one.
const LOAD = 0x61; // BPF_LDX|BPF_MEM|BPF_W
const AND = 0x54; // BPF_ALU|BPF_AND|BPF_K
const SHIFT_RIGHT = 0x74; // BPF_ALU|BPF_RSH|BPF_K
const SET = 0xb4; // BPF_ALU|BPF_MOV|BPF_K
const COPY = 0xbc; // BPF_ALU|BPF_MOV|BPF_X
const JUMP_EQUAL = 0x16; // BPF_JMP32|BPF_JEQ|BPF_K
const JUMP_NOT_EQUAL = 0x56; // BPF_JMP32|BPF_JNE|BPF_K
const EXIT = 0x95; // BPF_JMP|BPF_EXIT

const BLOCK = 1; // BPF_DEVCG_DEV_BLOCK
const CHAR = 2; // BPF_DEVCG_DEV_CHAR
const ALL_ACCESS = 7;
const BYTES = 8;

interface Instruction {
  readonly operation: number;
  readonly to?: number;
  readonly from?: number;
  /** Of a load in bytes, of a jump in instructions after the next one. */
  readonly offset?: number;
  readonly value?: number;
}

/** Instruction that goes on with the next exception. */
type Draft =
  | Instruction
  | { readonly operation: number; readonly to: number; readonly value: number; skip: true };

/** The `struct bpf_insn[]`, little-endian (x86_64, aarch64). */
export function assembleDeviceFilter(access: DeviceAccess): Uint8Array {
  const instructions: Instruction[] = [
    // struct bpf_cgroup_dev_ctx { __u32 access_type /* access << 16 | type */; __u32 major; __u32 minor; }
    { operation: LOAD, to: TYPE, from: CONTEXT, offset: 0 },
    { operation: AND, to: TYPE, value: 0xffff },
    { operation: LOAD, to: ASKED, from: CONTEXT, offset: 0 },
    { operation: SHIFT_RIGHT, to: ASKED, value: 16 },
    { operation: LOAD, to: MAJOR, from: CONTEXT, offset: 4 },
    { operation: LOAD, to: MINOR, from: CONTEXT, offset: 8 },
    ...access.exceptions.flatMap((exception) => assembleException(exception, access.allowsByDefault)),
    ...leaveWith(access.allowsByDefault),
  ];
  const program = new Uint8Array(instructions.length * BYTES);
  const view = new DataView(program.buffer);
  for (const [i, { operation, to = 0, from = 0, offset = 0, value = 0 }] of instructions.entries()) {
    view.setUint8(i * BYTES, operation);
    view.setUint8(i * BYTES + 1, (from << 4) | to);
    view.setInt16(i * BYTES + 2, offset, true);
    view.setUint32(i * BYTES + 4, value, true);
  }
  return program;
}

/** Leaves with the opposite of the default if the access is within the exception, as the v1 controller decides. */
function assembleException(exception: DeviceException, allowsByDefault: boolean): readonly Instruction[] {
  const { type, major, minor, access } = exception;
  const draft: Draft[] = [
    { operation: JUMP_NOT_EQUAL, to: TYPE, value: type === "b" ? BLOCK : CHAR, skip: true },
  ];
  if (major >= 0n) draft.push({ operation: JUMP_NOT_EQUAL, to: MAJOR, value: Number(major), skip: true });
  if (minor >= 0n) draft.push({ operation: JUMP_NOT_EQUAL, to: MINOR, value: Number(minor), skip: true });
  if (access !== ALL_ACCESS) {
    draft.push({ operation: COPY, to: SCRATCH, from: ASKED });
    if (allowsByDefault) {
      // Denied as soon as one of the denied kinds is asked for.
      draft.push({ operation: AND, to: SCRATCH, value: access });
      draft.push({ operation: JUMP_EQUAL, to: SCRATCH, value: 0, skip: true });
    } else {
      // Allowed if nothing beyond the allowed kinds is asked for.
      draft.push({ operation: AND, to: SCRATCH, value: ALL_ACCESS & ~access });
      draft.push({ operation: JUMP_NOT_EQUAL, to: SCRATCH, value: 0, skip: true });
    }
  }
  draft.push(...leaveWith(!allowsByDefault));
  return draft.map((step, i) => ("skip" in step ? { ...step, offset: draft.length - i - 1 } : step));
}

function leaveWith(allow: boolean): readonly Instruction[] {
  return [{ operation: SET, to: RESULT, value: allow ? 1 : 0 }, { operation: EXIT }];
}
