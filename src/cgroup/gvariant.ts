// Values of D-Bus, and the text form in which annotations give them (GVariant Text Format, docs.gtk.org/glib).
import { TsruncError } from "../errors.ts";

/**
 * A value whose type is known from its signature: a number or bigint for `ynqiuxtd`, a text for `sog`, a boolean for
 * `b`, a list for arrays and structures, bytes for `ay`, a {@link Variant} for `v`.
 */
export type BusValue = string | number | bigint | boolean | Uint8Array | Variant | readonly BusValue[];

export interface Variant {
  readonly signature: string;
  readonly value: BusValue;
}

/** The integers, with their least and greatest values. */
const INTEGERS: Readonly<Record<string, readonly [bigint, bigint]>> = {
  y: [0n, 0xffn],
  n: [-0x8000n, 0x7fffn],
  q: [0n, 0xffffn],
  i: [-0x8000_0000n, 0x7fff_ffffn],
  u: [0n, 0xffff_ffffn],
  x: [-0x8000_0000_0000_0000n, 0x7fff_ffff_ffff_ffffn],
  t: [0n, 0xffff_ffff_ffff_ffffn],
};

const KEYWORDS: Readonly<Record<string, string>> = {
  boolean: "b",
  byte: "y",
  int16: "n",
  uint16: "q",
  int32: "i",
  uint32: "u",
  int64: "x",
  uint64: "t",
  double: "d",
  string: "s",
  objectpath: "o",
  signature: "g",
};

/** The complete types that a signature consists of: `sa(sv)` → `s`, `a(sv)`. */
export function splitSignature(signature: string): readonly string[] {
  const types: string[] = [];
  for (let start = 0; start < signature.length; ) {
    let end = start;
    while (signature[end] === "a") end++;
    if (signature[end] === "(") {
      let depth = 0;
      do {
        if (signature[end] === "(") depth++;
        else if (signature[end] === ")") depth--;
        end++;
      } while (depth > 0 && end < signature.length);
    } else end++;
    types.push(signature.slice(start, end));
    start = end;
  }
  return types;
}

/**
 * Reads a value: `true`, `5`, `uint32 5`, `'text'`, `['a', 'b']`, `@as []`, `('a', 1)`. Throws TsruncError without
 * saying where the text is from.
 */
export function parseVariant(text: string): Variant {
  const reader: Reader = { text, at: 0 };
  const variant = readValue(reader, undefined);
  skipSpace(reader);
  if (reader.at < text.length) throw unexpected(reader);
  return variant;
}

interface Reader {
  readonly text: string;
  at: number;
}

function unexpected({ text, at }: Reader): TsruncError {
  const what = at < text.length ? JSON.stringify(text.slice(at, at + 10)) : "the end";
  return new TsruncError(`unexpected ${what} at column ${at + 1}`);
}

function skipSpace(reader: Reader): void {
  while (/\s/.test(reader.text[reader.at] ?? "")) reader.at++;
}

function take(reader: Reader, pattern: RegExp): string | undefined {
  skipSpace(reader);
  const sticky = new RegExp(pattern, "y");
  sticky.lastIndex = reader.at;
  const [match] = sticky.exec(reader.text) ?? [];
  if (match !== undefined) reader.at += match.length;
  return match;
}

/** `signature`: the type if it is known from around. */
function readValue(reader: Reader, signature: string | undefined): Variant {
  const annotation = take(reader, /@[a-z()]+\s/);
  if (annotation !== undefined) return readValue(reader, annotation.slice(1).trim());
  const word = take(reader, /[a-z]+\d*(?=\s)/);
  if (word !== undefined && word !== "true" && word !== "false") {
    const type = KEYWORDS[word];
    if (type === undefined) throw new TsruncError(`unknown type ${word}`);
    return readValue(reader, type);
  }
  const boolean = word ?? take(reader, /(?:true|false)\b/);
  if (boolean !== undefined) return expect(signature, "b", boolean === "true");
  skipSpace(reader);
  const first = reader.text[reader.at];
  if (first === "'" || first === '"') {
    const value = readString(reader, first);
    return {
      signature: signature === "o" || signature === "g" ? signature : expectType(signature, "s"),
      value,
    };
  }
  if (first === "[") return readArray(reader, signature);
  if (first === "(") return readTuple(reader, signature);
  return readNumber(reader, signature);
}

function expectType(wanted: string | undefined, found: string): string {
  if (wanted !== undefined && wanted !== found)
    throw new TsruncError(`expected a value of type ${wanted}, found one of type ${found}`);
  return found;
}

function expect(wanted: string | undefined, signature: string, value: BusValue): Variant {
  return { signature: expectType(wanted, signature), value };
}

const ESCAPES: Readonly<Record<string, string>> = { n: "\n", t: "\t", r: "\r", b: "\b", f: "\f" };

function readString(reader: Reader, quote: string): string {
  let value = "";
  for (reader.at++; ; reader.at++) {
    const letter = reader.text[reader.at];
    if (letter === undefined) throw unexpected(reader);
    if (letter === quote) break;
    if (letter !== "\\") {
      value += letter;
      continue;
    }
    const escaped = reader.text[++reader.at];
    if (escaped === undefined) throw unexpected(reader);
    value += ESCAPES[escaped] ?? escaped;
  }
  reader.at++;
  return value;
}

function readArray(reader: Reader, signature: string | undefined): Variant {
  reader.at++;
  if (signature !== undefined && !signature.startsWith("a"))
    throw new TsruncError(`expected a value of type ${signature}, found an array`);
  let element = signature?.slice(1);
  const values: BusValue[] = [];
  while (take(reader, /\]/) === undefined) {
    if (values.length > 0 && take(reader, /,/) === undefined) throw unexpected(reader);
    const item = readValue(reader, element);
    element = item.signature;
    values.push(item.value);
  }
  if (element === undefined) throw new TsruncError("an empty array needs a type, as in @as []");
  return { signature: `a${element}`, value: element === "y" ? Uint8Array.from(values as number[]) : values };
}

function readTuple(reader: Reader, signature: string | undefined): Variant {
  reader.at++;
  const types = signature === undefined ? [] : splitSignature(signature.slice(1, -1));
  const members: Variant[] = [];
  while (take(reader, /\)/) === undefined) {
    if (members.length > 0 && take(reader, /,/) === undefined) throw unexpected(reader);
    members.push(readValue(reader, types[members.length]));
  }
  const found = `(${members.map((member) => member.signature).join("")})`;
  return expect(
    signature,
    found,
    members.map((member) => member.value),
  );
}

function readNumber(reader: Reader, signature: string | undefined): Variant {
  const text = take(reader, /[+-]?(?:0x[0-9a-fA-F]+|\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)/);
  if (text === undefined) throw unexpected(reader);
  const isInteger = /^[+-]?(?:0x[0-9a-fA-F]+|\d+)$/.test(text);
  const type = signature ?? (isInteger ? "i" : "d");
  if (type === "d") return { signature: type, value: Number(text) };
  const range = INTEGERS[type];
  if (range === undefined || !isInteger)
    throw new TsruncError(`expected a value of type ${type}, found ${text}`);
  const value = text.startsWith("-") ? -BigInt(text.slice(1)) : BigInt(text.replace("+", ""));
  if (value < range[0] || value > range[1])
    throw new TsruncError(`${text} is not from ${range[0]} to ${range[1]}`);
  return { signature: type, value: type === "x" || type === "t" ? value : Number(value) };
}
