import { describe, expect, test } from "bun:test";
import { formatUpdateOptions, parseBytes } from "../../../src/cli/update-options.ts";
import { UsageError } from "../../../src/errors.ts";

describe("bytes", () => {
  const rows: [string, bigint][] = [
    ["0", 0n],
    ["-1", -1n],
    ["4096", 4096n],
    ["1k", 1024n],
    ["100M", 104857600n],
    ["100mb", 104857600n],
    ["64 KiB", 65536n],
    ["1.5G", 1610612736n],
    ["2t", 2199023255552n],
    ["7b", 7n],
  ];
  for (const [text, value] of rows) test(text, () => expect(parseBytes("memory", text)).toBe(value));
  for (const text of ["-2", "x", "1x", "", "1..5k", "1e3", "0x10", "9".repeat(30)])
    test(`not ${text}`, () => expect(() => parseBytes("memory", text)).toThrow(UsageError));
});

test("options become JSON; those not given stay out", () => {
  const given = new Map([
    ["memory", "1G"],
    ["memory-swap", "-1"],
    ["cpu-share", "18446744073709551615"],
    ["cpuset-cpus", "0-1"],
    ["cpuset-mems", ""],
    ["pids-limit", "-1"],
  ]);
  expect(formatUpdateOptions(given)).toBe(
    '{"cpu":{"shares":18446744073709551615,"cpus":"0-1"},"memory":{"limit":1073741824,"swap":-1},"pids":{"limit":-1}}',
  );
  expect(formatUpdateOptions(new Map())).toBe("{}");
});
