// The head of a filter: system calls that are newer than the profile give ENOSYS instead of its default action, so that
// programs fall back to older ones (runc's idea: a profile cannot know what it does not name).
import { errnoNumber } from "../linux/errno.ts";
import { SCMP_ACT, SCMP_ARCH, SOCK_FILTER_SIZE, X32_SYSCALL_BIT } from "../linux/seccomp.ts";

/** One instruction of classic BPF: struct sock_filter. */
type Instruction = readonly [code: number, ifTrue: number, ifFalse: number, k: number];

const LOAD = 0x20; // BPF_LD|BPF_W|BPF_ABS
const JUMP = 0x05; // BPF_JMP|BPF_JA
const IF_EQUAL = 0x15; // BPF_JMP|BPF_JEQ|BPF_K
const IF_GREATER = 0x25; // BPF_JMP|BPF_JGT|BPF_K, unsigned
const IF_BITS = 0x45; // BPF_JMP|BPF_JSET|BPF_K
const RETURN = 0x06; // BPF_RET|BPF_K

/** Offsets in struct seccomp_data. */
const NUMBER = 0;
const ARCH = 4;

const RETURN_ENOSYS: Instruction = [RETURN, 0, 0, SCMP_ACT.SCMP_ACT_ERRNO + errnoNumber("ENOSYS")];
const { SCMP_ARCH_X86_64, SCMP_ARCH_X32, SCMP_ARCH_S390, SCMP_ARCH_S390X } = SCMP_ARCH;

/**
 * Puts the head before a filter of libseccomp's. `last`: for each architecture (by libseccomp's token; the one that
 * most calls come from first) the highest number of a system call that the profile names.
 */
export function prependStub(filter: Uint8Array, last: ReadonlyMap<number, number>): Uint8Array {
  const blocks = describeBlocks(last);
  if (blocks.length === 0) return filter;
  const stub: Instruction[] = [[LOAD, 0, 0, ARCH]];
  let rest = blocks.reduce((sum, { body }) => sum + body.length + 2, 0);
  for (const { arch, body } of blocks) {
    rest -= body.length + 2;
    // Another architecture: the next block. No number above the last one: over all further blocks to the filter.
    stub.push([IF_EQUAL, 0, body.length + 1, arch], ...body, [JUMP, 0, 0, rest]);
  }
  return concatenate(stub, filter);
}

interface Block {
  /** What the kernel puts into seccomp_data.arch. */
  readonly arch: number;
  /** Returns, or falls through to the jump behind it. */
  readonly body: readonly Instruction[];
}

function describeBlocks(last: ReadonlyMap<number, number>): readonly Block[] {
  const blocks = new Map<number, Block>();
  for (const [token, number] of last) {
    const isX86 = token === SCMP_ARCH_X86_64 || token === SCMP_ARCH_X32;
    const arch = isX86 ? SCMP_ARCH_X86_64 : token;
    blocks.set(arch, { arch, body: isX86 ? checkX86(last) : checkNumber(token, number) });
  }
  return [...blocks.values()];
}

function checkNumber(token: number, last: number): readonly Instruction[] {
  // A number that the kernel of an s390 does not know arrives as 0, the multiplexer of large numbers.
  if (token === SCMP_ARCH_S390 || token === SCMP_ARCH_S390X)
    return [[LOAD, 0, 0, NUMBER], [IF_EQUAL, 1, 0, 0], [IF_GREATER, 0, 1, last], RETURN_ENOSYS];
  return [[LOAD, 0, 0, NUMBER], [IF_GREATER, 0, 1, last], RETURN_ENOSYS];
}

/** x86_64 and x32 differ in one bit of the number. One that the profile does not have is left to the filter. */
function checkX86(last: ReadonlyMap<number, number>): readonly Instruction[] {
  const highest = 0xffff_ffff; // nothing is greater
  const x32 = last.get(SCMP_ARCH_X32) ?? highest;
  const x86 = last.get(SCMP_ARCH_X86_64) ?? highest;
  return [
    [LOAD, 0, 0, NUMBER],
    [IF_BITS, 1, 0, X32_SYSCALL_BIT],
    [IF_GREATER, 1, 2, x86],
    [IF_GREATER, 0, 1, x32],
    RETURN_ENOSYS,
  ];
}

function concatenate(stub: readonly Instruction[], filter: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(stub.length * SOCK_FILTER_SIZE + filter.length);
  const view = new DataView(bytes.buffer);
  for (const [i, [code, ifTrue, ifFalse, k]] of stub.entries()) {
    const at = i * SOCK_FILTER_SIZE;
    view.setUint16(at, code, true);
    view.setUint8(at + 2, ifTrue);
    view.setUint8(at + 3, ifFalse);
    view.setUint32(at + 4, k, true);
  }
  bytes.set(filter, stub.length * SOCK_FILTER_SIZE);
  return bytes;
}
