// A BPF interpreter for what a device filter may consist of; it refuses everything else, as the kernel's verifier
// would (bpf/standardization/instruction-set.rst).

/** `c 1:3 rw` */
export type Access = `${"b" | "c"} ${number}:${number} ${string}`;

/** What a filter answers to an access. */
export function isAllowed(program: Uint8Array, access: Access): boolean {
  const [type, numbers = "", letters = ""] = access.split(" ");
  const [major = 0, minor = 0] = numbers.split(":").map(Number);
  const bits = [...letters].reduce((sum, letter) => sum | { m: 1, r: 2, w: 4 }[letter as "m" | "r" | "w"], 0);
  const context = new Uint32Array([(bits << 16) | (type === "b" ? 1 : 2), major, minor]);
  return run(program, new DataView(context.buffer)) !== 0;
}

function run(program: Uint8Array, context: DataView): number {
  const code = new DataView(program.buffer, program.byteOffset, program.byteLength);
  const registers: (number | "context" | undefined)[] = Array(11).fill(undefined);
  registers[1] = "context";
  const number = (register: number): number => {
    const value = registers[register];
    if (typeof value !== "number") throw new Error(`R${register} holds ${value}`);
    return value;
  };
  let next = 0;
  for (;;) {
    const at = next * 8;
    if (at < 0 || at >= program.length) throw new Error(`instruction ${next} is outside of the program`);
    const operation = code.getUint8(at);
    const to = code.getUint8(at + 1) & 15;
    const from = code.getUint8(at + 1) >> 4;
    const offset = code.getInt16(at + 2, true);
    const value = code.getUint32(at + 4, true);
    next++;
    const jump = (condition: boolean): void => {
      if (offset < 0) throw new Error("a jump backwards");
      if (condition) next += offset;
    };
    switch (operation) {
      case 0x61:
        if (registers[from] !== "context") throw new Error(`R${from} is no pointer`);
        registers[to] = context.getUint32(offset, true);
        break;
      case 0x54:
        registers[to] = (number(to) & value) >>> 0;
        break;
      case 0x74:
        registers[to] = number(to) >>> value;
        break;
      case 0xb4:
        registers[to] = value;
        break;
      case 0xbc:
        registers[to] = number(from);
        break;
      case 0x16:
        jump(number(to) === value);
        break;
      case 0x56:
        jump(number(to) !== value);
        break;
      case 0x95:
        return number(0);
      default:
        throw new Error(`operation 0x${operation.toString(16)}`);
    }
  }
}
