import { describe, expect, test } from "bun:test";
import { constants } from "node:os";
import { parseSignal, SIGNALS } from "../../../src/linux/signals.ts";

describe("signals", () => {
  test("numbers agree with the C library's", () => {
    for (const [i, name] of SIGNALS.entries()) {
      const known = constants.signals[`SIG${name}` as NodeJS.Signals];
      if (known !== undefined) expect([name, i + 1]).toEqual([name, known]);
    }
    expect(SIGNALS.length).toBe(31);
  });

  const good: readonly (readonly [string, number])[] = [
    ["9", 9],
    ["KILL", 9],
    ["SIGKILL", 9],
    ["sigkill", 9],
    ["Term", 15],
    ["SIGRTMIN", 34],
    ["RTMIN+3", 37],
    ["SIGRTMAX-1", 63],
    ["rtmax", 64],
    ["64", 64],
    ["CLD", 17],
    ["POLL", 29],
    ["IOT", 6],
  ];
  for (const [text, number] of good) test(text, () => expect(parseSignal(text)).toBe(number));

  for (const text of [
    "",
    "0",
    "65",
    "-9",
    "9 ",
    "0x9",
    "SIG",
    "SIGSIGKILL",
    "FOO",
    "RTMIN-1",
    "RTMAX+1",
    "RTMIN+31",
  ]) {
    test(`refuses ${JSON.stringify(text)}`, () => expect(parseSignal(text)).toBeUndefined());
  }
  test("refuses names of Object.prototype", () => {
    for (const name of ["constructor", "__proto__", "toString"]) expect(parseSignal(name)).toBeUndefined();
  });
});
