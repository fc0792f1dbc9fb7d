import { describe, expect, test } from "bun:test";
import { parseInterval } from "../../../src/cli/duration.ts";

describe("an interval", () => {
  const good: readonly (readonly [string, number])[] = [
    ["5s", 5000],
    ["+5s", 5000],
    ["1m30s", 90_000],
    ["1.5h", 5_400_000],
    [".5s", 500],
    ["1.s", 1000],
    ["300ms", 300],
    ["2000us", 2],
    ["2000µs", 2],
    ["3000000ns", 3],
    ["10000h", 2 ** 31 - 1],
  ];
  for (const [text, milliseconds] of good)
    test(text, () => expect(parseInterval("interval", text)).toBe(milliseconds));

  for (const text of ["", "5", "s", "5 s", "5x", "5s5", "1,5s", "5S", "x5s", "--5s5"])
    test(`not ${JSON.stringify(text)}`, () =>
      expect(() => parseInterval("interval", text)).toThrow(/interval/));

  for (const text of ["0", "0s", "-1s", "0h0m"])
    test(`not ${text}`, () =>
      expect(() => parseInterval("interval", text)).toThrow("duration interval must be greater than 0"));
});
