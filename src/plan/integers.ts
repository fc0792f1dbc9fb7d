// Integers in little-endian memory, as both architectures have them.

const TWO_32 = 2 ** 32;

/** Writes the low bytes of an integer; negative ones in two's complement. */
export function putInteger(view: DataView, at: number, width: 1 | 2 | 4 | 8, value: number | bigint): void {
  if (typeof value === "bigint") {
    if (width === 8) view.setBigUint64(at, BigInt.asUintN(64, value), true);
    else putInteger(view, at, width, Number(BigInt.asUintN(8 * width, value)));
    return;
  }
  if (width === 1) view.setUint8(at, value);
  else if (width === 2) view.setUint16(at, value, true);
  else {
    // `>>> 0` is the value modulo 2^32, for every number that a double holds exactly.
    view.setUint32(at, value >>> 0, true);
    if (width === 8) view.setUint32(at + 4, Math.floor(value / TWO_32) >>> 0, true);
  }
}
