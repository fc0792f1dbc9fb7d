// A classic-BPF interpreter for seccomp filters (seccomp(2); the kernel's net/core/filter.c and kernel/seccomp.c,
// seccomp_check_filter). It refuses what the kernel would refuse.

/** struct seccomp_data. */
export interface Call {
  readonly arch: number;
  readonly number: number;
  readonly args?: readonly bigint[];
}

const SIZE = 8; // struct sock_filter
const SECCOMP_DATA_SIZE = 64;

/** What the filter returns: action and data. Throws for a program that the kernel would not take. */
export function runFilter(program: Uint8Array, call: Call): number {
  const code = new DataView(program.buffer, program.byteOffset, program.byteLength);
  const count = program.byteLength / SIZE;
  if (!Number.isInteger(count) || count < 1 || count > 4096) throw new Error(`${count} instructions`);
  const data = encodeCall(call);
  const memory = new Uint32Array(16);
  let accumulator = 0;
  let index = 0;
  let at = 0;
  for (;;) {
    if (at >= count) throw new Error(`runs past the end at ${at}`);
    const operation = code.getUint16(at * SIZE, true);
    const ifTrue = code.getUint8(at * SIZE + 2);
    const ifFalse = code.getUint8(at * SIZE + 3);
    const k = code.getUint32(at * SIZE + 4, true);
    at += 1;
    const jump = (condition: boolean): void => {
      at += condition ? ifTrue : ifFalse;
    };
    switch (operation) {
      case 0x20: // BPF_LD|BPF_W|BPF_ABS
        if (k % 4 !== 0 || k + 4 > SECCOMP_DATA_SIZE) throw new Error(`loads from ${k}`);
        accumulator = data.getUint32(k, true);
        break;
      case 0x00: // BPF_LD|BPF_IMM
        accumulator = k;
        break;
      case 0x60: // BPF_LD|BPF_MEM
        accumulator = memory[k] as number;
        break;
      case 0x02: // BPF_ST
        memory[k] = accumulator;
        break;
      case 0x07: // BPF_MISC|BPF_TAX
        index = accumulator;
        break;
      case 0x87: // BPF_MISC|BPF_TXA
        accumulator = index;
        break;
      case 0x54: // BPF_ALU|BPF_AND|BPF_K
        accumulator = (accumulator & k) >>> 0;
        break;
      case 0x05: // BPF_JMP|BPF_JA
        at += k;
        break;
      case 0x15: // BPF_JEQ
        jump(accumulator === k);
        break;
      case 0x25: // BPF_JGT
        jump(accumulator > k);
        break;
      case 0x35: // BPF_JGE
        jump(accumulator >= k);
        break;
      case 0x45: // BPF_JSET
        jump((accumulator & k) !== 0);
        break;
      case 0x06: // BPF_RET|BPF_K
        return k;
      default:
        throw new Error(`instruction ${at - 1} has code ${operation.toString(16)}`);
    }
  }
}

function encodeCall({ arch, number, args = [] }: Call): DataView {
  const data = new DataView(new ArrayBuffer(SECCOMP_DATA_SIZE));
  data.setInt32(0, number | 0, true);
  data.setUint32(4, arch, true);
  for (let i = 0; i < 6; i++) data.setBigUint64(16 + 8 * i, BigInt.asUintN(64, args[i] ?? 0n), true);
  return data;
}
