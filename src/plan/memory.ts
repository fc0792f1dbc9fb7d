// Growing memory of integers, little endian as both architectures are: typed arrays write them several times as fast
// as a DataView.

const TWO_32 = 2 ** 32;

/** `bytes` and `words` are other arrays after each growth. */
export class Memory {
  bytes: Uint8Array;
  #halves: Uint16Array;
  words: Uint32Array;
  #length = 0;

  /** `capacity`: bytes to begin with, a multiple of 8. */
  constructor(capacity: number) {
    const buffer = new ArrayBuffer(capacity);
    this.bytes = new Uint8Array(buffer);
    this.#halves = new Uint16Array(buffer);
    this.words = new Uint32Array(buffer);
  }

  /** Bytes that are reserved. */
  get length(): number {
    return this.#length;
  }

  /** Offset of `size` more bytes, all 0; a multiple of 8. */
  reserve(size: number): number {
    const at = (this.#length + 7) & ~7;
    this.#length = at + size;
    if (this.#length > this.bytes.length) this.#grow();
    return at;
  }

  #grow(): void {
    const buffer = new ArrayBuffer((2 * this.#length + 7) & ~7);
    const bytes = new Uint8Array(buffer);
    bytes.set(this.bytes);
    this.bytes = bytes;
    this.#halves = new Uint16Array(buffer);
    this.words = new Uint32Array(buffer);
  }

  putBytes(at: number, value: Uint8Array): void {
    this.bytes.set(value, at);
  }

  /** At an even offset. */
  putHalf(at: number, value: number): void {
    this.#halves[at >> 1] = value;
  }

  /** The low bytes of an integer, at a multiple of its width; negative ones in two's complement. */
  putInteger(at: number, width: 1 | 2 | 4 | 8, value: number | bigint): void {
    if (at % width !== 0) throw new Error("an integer stands at a multiple of its width");
    if (typeof value === "bigint") {
      this.putInteger(at, width === 8 ? 4 : width, Number(BigInt.asUintN(32, value)));
      if (width === 8) this.words[(at >> 2) + 1] = Number(BigInt.asUintN(32, value >> 32n));
      return;
    }
    // An element of a typed array is the value modulo its size, for every number that a double holds exactly.
    if (width === 1) this.bytes[at] = value;
    else if (width === 2) this.#halves[at >> 1] = value;
    else this.words[at >> 2] = value;
    if (width === 8) this.words[(at >> 2) + 1] = Math.floor(value / TWO_32);
  }

  /** Adds to an unsigned number below 2^32. */
  add(at: number, value: number): void {
    this.words[at >> 2] = (this.words[at >> 2] as number) + value;
  }
}
