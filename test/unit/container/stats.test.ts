// The arithmetic and the output of `stats`.
import { describe, expect, test } from "bun:test";
import type { CgroupLoad } from "../../../src/cgroup/load.ts";
import { type ContainerLoad, compareSamples, type Sample } from "../../../src/container/stats.ts";
import { formatBytes, formatStatsJson, formatStatsTable } from "../../../src/container/stats-format.ts";
import { formatScreen } from "../../../src/container/watch-stats.ts";

const MIB = 1024n * 1024n;
const load: CgroupLoad = {
  cpuTime: 1_000_000_000n,
  memoryUsage: 40n * MIB,
  inactiveFile: 8n * MIB,
  memoryLimit: 64n * MIB,
  pids: 3n,
  pidsLimit: 50n,
  read: 1536n,
  written: 0n,
  pressure: {},
};
const some = { avg10: 1.5, avg60: 0, avg300: 0, total: 7n };

const sample = (id: string, at: number, cpuTime: bigint): Sample => ({
  id,
  status: "running",
  at,
  load: { ...load, cpuTime },
});
const row = (id: string, change: Partial<ContainerLoad> = {}): ContainerLoad => ({
  id,
  status: "running",
  ...load,
  ...change,
});

describe("CPU", () => {
  const percentOf = (earlier: Sample[], later: Sample[]): (number | undefined)[] =>
    compareSamples(earlier, later).map(({ cpuPercent }) => cpuPercent);

  test("is the time used by the time passed, each container by its own clock", () => {
    const before = [sample("a", 1000, 0n), sample("b", 1100, 500_000_000n)];
    const after = [sample("a", 2000, 250_000_000n), sample("b", 1600, 1_500_000_000n)];
    expect(percentOf(before, after)).toEqual([25, 200]);
  });

  test("is unknown for a new container, and for another one of the same name", () => {
    expect(percentOf([], [sample("a", 1, 5n)])).toEqual([undefined]);
    expect(percentOf([sample("a", 0, 9n)], [sample("a", 1, 5n)])).toEqual([undefined]);
    expect(percentOf([sample("a", 1, 5n)], [sample("a", 1, 5n)])).toEqual([undefined]);
  });

  test("a container that has gone is left out", () =>
    expect(compareSamples([sample("a", 0, 0n)], [])).toEqual([]));
});

describe("the table", () => {
  test("has a header and a line for each container, in columns", () => {
    const rows = [
      row("web", { cpuPercent: 12.345, pressure: { memory: { some, full: some } } }),
      row("a-very-long-name-of-a-container", { status: "paused" }),
    ];
    const { memoryLimit, pidsLimit, ...boundless } = load;
    const last: ContainerLoad = { id: "db", status: "running", ...boundless };
    expect(formatStatsTable([...rows, last])).toEqual([
      "ID                               STATUS      CPU %     MEMORY      LIMIT   MEM %  PRESSURE       READ    WRITTEN   PIDS",
      "web                              running      12.3    32.0MiB    64.0MiB    50.0      1.50     1.5KiB         0B   3/50",
      "a-very-long-name-of-a-container  paused          -    32.0MiB    64.0MiB    50.0         -     1.5KiB         0B   3/50",
      "db                               running         -    32.0MiB          -       -         -     1.5KiB         0B      3",
    ]);
  });

  test("is cut to the terminal, so that it can be written over", () => {
    const rows = Array.from({ length: 9 }, (_, i) => row(`c${i}`));
    const lines = formatScreen(rows, { rows: 5, columns: 20 }).split("\n");
    expect(lines).toEqual([
      "ID            STATUS\x1b[K",
      "c0            runnin\x1b[K",
      "c1            runnin\x1b[K",
      "... and 7 more\x1b[K",
      "\x1b[J",
    ]);
    expect(formatScreen(rows, { rows: 11, columns: 20 }).split("\n")).toHaveLength(11);
    expect(formatScreen(rows, { rows: 0, columns: 0 }).split("\n")).toHaveLength(11);
  });

  const sizes: readonly (readonly [bigint, string])[] = [
    [0n, "0B"],
    [1023n, "1023B"],
    [1024n, "1.0KiB"],
    [102_399n, "100KiB"],
    [102_297n, "99.9KiB"],
    [1_048_063n, "1023KiB"],
    [1_048_064n, "1.0MiB"],
    [3n * 1024n ** 4n, "3.0TiB"],
    [2n ** 63n, "8192PiB"],
  ];
  for (const [bytes, text] of sizes) test(`${bytes} bytes`, () => expect(formatBytes(bytes)).toBe(text));
});

test("JSON: a line for each container, null for what there is not", () => {
  const { memoryLimit, pidsLimit, ...boundless } = load;
  const text = formatStatsJson(
    [
      row("web", { cpuPercent: 12.3456, pressure: { memory: { some, full: some } } }),
      { id: "db", status: "created", ...boundless, cpuTime: 2n ** 63n },
    ],
    "2026-01-02T03:04:05.678Z",
  );
  const [web, db, ...more] = text.split("\n");
  expect(web).toBe(
    '{"time":"2026-01-02T03:04:05.678Z","id":"web","status":"running","cpu":{"time":1000000000,"percent":12.35},' +
      '"memory":{"usage":41943040,"workingSet":33554432,"limit":67108864,"percent":50},' +
      '"io":{"read":1536,"written":0},"pids":{"current":3,"limit":50},"pressure":{"memory":{' +
      '"some":{"avg10":1.5,"avg60":0,"avg300":0,"total":7},"full":{"avg10":1.5,"avg60":0,"avg300":0,"total":7}}}}',
  );
  expect(db).toContain('"cpu":{"time":9223372036854775808,"percent":null}');
  expect(db).toContain('"limit":null,"percent":null},"io"');
  expect(more).toEqual([""]);
});
