import { describe, expect, test } from "bun:test";
import { type BusValue, parseVariant, splitSignature } from "../../../src/cgroup/gvariant.ts";

describe("values", () => {
  const rows: [string, string, BusValue][] = [
    ["true", "b", true],
    [" false ", "b", false],
    ["5", "i", 5],
    ["-7", "i", -7],
    ["0x10", "i", 16],
    ["uint32 4294967295", "u", 4294967295],
    ["uint64 18446744073709551615", "t", 18446744073709551615n],
    ["int64 -1", "x", -1n],
    ["byte 0xff", "y", 255],
    ["1.5", "d", 1.5],
    ["double 2", "d", 2],
    ["'it\\'s'", "s", "it's"],
    ['"two words\\n"', "s", "two words\n"],
    ["objectpath '/a'", "o", "/a"],
    ["@t 5", "t", 5n],
    ["['a', 'b']", "as", ["a", "b"]],
    ["@as []", "as", []],
    ["[byte 1, 2]", "ay", Uint8Array.from([1, 2])],
    ["('a', 1)", "(si)", ["a", 1]],
    [
      "[('/dev/sda', uint64 9), ('/dev/sdb', 8)]",
      "a(st)",
      [
        ["/dev/sda", 9n],
        ["/dev/sdb", 8n],
      ],
    ],
  ];
  for (const [text, signature, value] of rows)
    test(text, () => expect(parseVariant(text)).toEqual({ signature, value }));
});

describe("mistakes", () => {
  const rows: [string, string][] = [
    ["", "unexpected the end at column 1"],
    ["x", 'unexpected "x" at column 1'],
    ["'a", "unexpected the end"],
    ["1 2", 'unexpected "2" at column 3'],
    ["[]", "an empty array needs a type"],
    ["['a', 1]", "expected a value of type s, found 1"],
    ["float 1", "unknown type float"],
    ["byte 256", "256 is not from 0 to 255"],
    ["uint32 -1", "-1 is not from 0"],
    ["2147483648", "is not from -2147483648"],
    ["uint64 1.5", "expected a value of type t, found 1.5"],
    ["[1, 2", "unexpected the end"],
  ];
  for (const [text, message] of rows) test(text, () => expect(() => parseVariant(text)).toThrow(message));
});

test("signatures", () => {
  expect(splitSignature("ssa(sv)a(sa(sv))")).toEqual(["s", "s", "a(sv)", "a(sa(sv))"]);
  expect(splitSignature("")).toEqual([]);
});
