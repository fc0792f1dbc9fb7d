// Parses the texts of a cgroup's statistics. Pure. A text that is not as the kernel documents it is a TsruncError
// with the file's name.
import { TsruncError } from "../errors.ts";
import type { IoEntry, Pressure, PressureLine } from "./stats-types.ts";

/** Stands for "no limit" where the kernel says `max`: the largest 64-bit number, as in Go's runtimes. */
export const NO_LIMIT: bigint = (1n << 64n) - 1n;
const NO_PRESSURE: PressureLine = { avg10: 0, avg60: 0, avg300: 0, total: 0n };

/** A counter. A negative one is 0: now and then a kernel's sum over the CPUs falls below it for a moment. */
export function parseCounter(file: string, text: string): bigint {
  const digits = text.trim();
  if (digits === "max") return NO_LIMIT;
  if (!/^-?[0-9]+$/.test(digits)) throw malformed(file, text);
  return digits.startsWith("-") ? 0n : BigInt(digits);
}

/** Lines of a key and a counter, as in cpu.stat and memory.stat. */
export function parseCounters(file: string, text: string): ReadonlyMap<string, bigint> {
  const counters = new Map<string, bigint>();
  for (const line of listLines(text)) {
    const space = line.indexOf(" ");
    if (space <= 0) throw malformed(file, line);
    counters.set(line.slice(0, space), parseCounter(file, line.slice(space + 1)));
  }
  return counters;
}

/** The numbers of a list such as `0-2,4`. */
export function parseRanges(file: string, text: string): readonly number[] {
  const numbers: number[] = [];
  for (const part of text.trim().split(",")) {
    if (part === "") continue;
    const match = /^([0-9]+)(?:-([0-9]+))?$/.exec(part);
    if (match === null) throw malformed(file, text);
    const last = Number(match[2] ?? match[1]);
    for (let i = Number(match[1]); i <= last; i++) numbers.push(i);
  }
  return numbers;
}

/** Lines `MAJOR:MINOR OP VALUE` or `MAJOR:MINOR VALUE` of the blkio controller; the sum over all devices is left out. */
export function parseIoEntries(file: string, text: string): readonly IoEntry[] {
  const entries: IoEntry[] = [];
  for (const line of listLines(text)) {
    if (/^Total [0-9]+$/.test(line)) continue;
    const match = /^([0-9]+):([0-9]+) (?:([A-Za-z]+) )?([0-9]+)$/.exec(line);
    if (match === null) throw malformed(file, line);
    const [, major = "", minor = "", op = "", value = ""] = match;
    entries.push({ major: BigInt(major), minor: BigInt(minor), op, value: BigInt(value) });
  }
  return entries;
}

/** Lines `MAJOR:MINOR KEY=VALUE...` of io.stat; what is not a number is left out. */
export function parseIoStat(file: string, text: string): readonly DeviceCounters[] {
  return listLines(text).flatMap((line) => {
    const [device = "", ...pairs] = line.split(" ").filter(Boolean);
    const match = /^([0-9]+):([0-9]+)$/.exec(device);
    if (match === null) {
      // Some kernels print `(unknown)` for a device that has gone.
      if (device.startsWith("(")) return [];
      throw malformed(file, line);
    }
    const counters = new Map<string, bigint>();
    for (const pair of pairs) {
      const [, key = "", value = ""] = /^([^=]+)=([0-9]+)$/.exec(pair) ?? [];
      if (key !== "") counters.set(key, BigInt(value));
    }
    return [{ major: BigInt(match[1] ?? ""), minor: BigInt(match[2] ?? ""), counters }];
  });
}

export interface DeviceCounters {
  readonly major: bigint;
  readonly minor: bigint;
  readonly counters: ReadonlyMap<string, bigint>;
}

/** `some avg10=0.00 avg60=0.00 avg300=0.00 total=0` and the same with `full`, which older kernels lack for the CPU. */
export function parsePressure(file: string, text: string): Pressure {
  const lines = new Map<string, PressureLine>();
  for (const line of listLines(text)) {
    const match = /^(some|full) avg10=([0-9.]+) avg60=([0-9.]+) avg300=([0-9.]+) total=([0-9]+)$/.exec(line);
    if (match === null) throw malformed(file, line);
    const [, kind = "", avg10, avg60, avg300, total = ""] = match;
    lines.set(kind, {
      avg10: Number(avg10),
      avg60: Number(avg60),
      avg300: Number(avg300),
      total: BigInt(total),
    });
  }
  return { some: lines.get("some") ?? NO_PRESSURE, full: lines.get("full") ?? NO_PRESSURE };
}

export function listLines(text: string): readonly string[] {
  return text.split("\n").filter((line) => line !== "");
}

export function malformed(file: string, text: string): TsruncError {
  return new TsruncError(`read ${file}: not understood: ${JSON.stringify(text.trim().slice(0, 100))}`);
}
