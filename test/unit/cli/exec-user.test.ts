import { describe, expect, test } from "bun:test";
import { parseUser } from "../../../src/cli/exec-user.ts";
import { UsageError } from "../../../src/errors.ts";

describe("--user", () => {
  const good: readonly (readonly [string, number, number | undefined])[] = [
    ["0", 0, undefined],
    ["1", 1, undefined],
    ["1000:100", 1000, 100],
    ["4294967294:4294967294", 4294967294, 4294967294],
    ["007", 7, undefined],
  ];
  for (const [text, uid, gid] of good) test(text, () => expect(parseUser(text)).toEqual({ uid, gid }));

  const bad = [
    "",
    ":",
    "1:",
    ":1",
    "-1",
    "+1",
    "1:-1",
    "4294967295",
    "4294967296",
    "1:4294967296",
    "18446744073709551616",
    "1".repeat(400),
    " 1",
    "1 ",
    "1\n",
    "0x1",
    "1e3",
    "1.0",
    "1_0",
    "root",
    "1:2:3",
    "١",
    "NaN",
  ];
  for (const text of bad) {
    test(`refuses ${JSON.stringify(text).slice(0, 30)}`, () =>
      expect(() => parseUser(text)).toThrow(UsageError));
  }
});
