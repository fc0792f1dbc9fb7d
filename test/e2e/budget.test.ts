// What commands cost, in counts that are the same on every run: a change that makes one of them exceed the recorded
// budget (budget.json) by more than 5 % fails. UPDATE_BUDGET=1 records anew, and tells what has changed.
import { afterAll, expect, test } from "bun:test";
import { copyFileSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type CallCounts, type Counter, countCalls, countChunks } from "./budget-counts.ts";
import { measureLife, probeCgroupKind } from "./budget-life.ts";
import { type Budget, type Counts, compareCounts } from "./budget-table.ts";
import { ENGINE_CONFIGS } from "./engine-config.ts";
import { executable, isPeer, openSandbox } from "./harness.ts";

const box = openSandbox("budget");
const file = join(import.meta.dirname, "budget.json");
const budget = JSON.parse(readFileSync(file, "utf8")) as Budget;
const updates = process.env.UPDATE_BUDGET === "1";

/** The counts depend on the kind of cgroups: one table for each. */
const kind = probeCgroupKind();
const host = `${process.arch}, ${kind?.name ?? "no cgroups that are the same everywhere"}`;
const isRecorded = updates ? kind !== undefined : budget[host] !== undefined;
if (!isRecorded) process.stdout.write(`budget: nothing is recorded for ${host}\n`);
const measured: Record<string, Counts> = {};

function check(rows: Readonly<Record<string, Counts>>): void {
  Object.assign(measured, rows);
  const { above, below } = compareCounts(budget[host] ?? {}, rows);
  if (updates) {
    for (const line of [...above, ...below]) process.stdout.write(`budget: ${line}\n`);
    return;
  }
  expect(above).toEqual([]);
}

function makeCounter(): Counter {
  // A copy: the path of an executable has as many parts everywhere, each of which costs a call.
  for (const name of ["tsrunc", "init", "koffi.node"])
    copyFileSync(join(dirname(executable), name), join(box.directory, name));
  return { directory: box.directory, prefix: kind?.prefix ?? [], executable: join(box.directory, "tsrunc") };
}

const countable = test.skipIf(isPeer || !isRecorded);

for (const name of ["minimal", "docker"])
  countable(
    `${name} bundle`,
    async () => {
      const counter = makeCounter();
      const makeBundle = (...args: string[]): string =>
        box.bundle(args, (config) =>
          Object.assign(config, ENGINE_CONFIGS[name]?.(args, join(box.directory, "sources"))),
        ).directory;
      const bundles = { short: makeBundle("true"), long: makeBundle("sleep", "1000") };
      const calls = await measureLife(box, counter.prefix, bundles, (args) => countCalls(counter, args));
      const repeated = await measureLife(box, counter.prefix, bundles, (args) => countCalls(counter, args));
      const chunks = await measureLife(box, counter.prefix, bundles, (args) => countChunks(counter, args));
      const rows = Object.entries(calls).map(([command, first]) => [
        `${name}: ${command}`,
        { ...takeLess(first, repeated[command] ?? first), ...chunks[command] },
      ]);
      check(Object.fromEntries(rows));
      expect(calls.run?.batches).toBeGreaterThan(0);
      expect(chunks.run?.chunks).toBeGreaterThan(0);
    },
    120_000,
  );

/** A wait may look once more or less. */
function takeLess(a: CallCounts, b: CallCounts): CallCounts {
  return a.calls < b.calls ? a : b;
}

countable("commands without a container", async () => {
  const counter = makeCounter();
  const rows: Record<string, Counts> = {};
  for (const command of ["--version", "features"]) {
    rows[command] = { ...(await countCalls(counter, [command])), ...(await countChunks(counter, [command])) };
  }
  check(rows);
});

countable("steps of plans", async () => {
  const rows: Record<string, Counts> = {};
  for (const name of ["minimal", "docker"]) {
    const bundle = box.bundle([], (config) =>
      Object.assign(config, ENGINE_CONFIGS[name]?.(["true"], join(box.directory, "sources"))),
    ).directory;
    const { stdout } = await box.ok(["plan", "--bundle", bundle, box.id()], {
      prefix: kind?.prefix ?? [],
    });
    const [create = "", start = ""] = stdout.split("--- start ---\n");
    const count = (text: string, lane: string): number =>
      text.split("\n").filter((line) => line.startsWith(`${lane} `)).length;
    rows[`${name}: plan`] = {
      createSteps: count(create, "init"),
      createHostSteps: count(create, "host"),
      startSteps: count(start, "init"),
    };
  }
  check(rows);
});

countable("sizes", () => {
  const size = (path: string): number => statSync(path).size;
  const whole = size(executable);
  const sizes: Counts = {
    tsrunc: whole,
    // The tests run in the engine that is in the executable.
    tsruncWithoutEngine: whole - size(process.execPath),
    init: size(join(dirname(executable), "init")),
  };
  check({ "bytes of files": sizes });
});

afterAll(() => {
  if (!updates || kind === undefined) return;
  writeFileSync(file, `${JSON.stringify({ ...budget, [host]: measured }, null, 2)}\n`);
});

test("what exceeds its budget by more than 5 % is told, and what nobody has recorded", () => {
  const recorded = { start: { calls: 100, batches: 1, chunks: 40 } };
  const same = { start: { calls: 105, batches: 1, chunks: 38 } };
  expect(compareCounts(recorded, same)).toEqual({ above: [], below: [] });
  const worse = { start: { calls: 106, batches: 2, chunks: 37, bytes: 7 } };
  expect(compareCounts(recorded, worse)).toEqual({
    above: [
      "start: calls: 106, recorded 100 (+6, +6.0 %)",
      "start: batches: 2, recorded 1 (+1, +100.0 %)",
      "start: bytes: 7, nothing recorded",
    ],
    below: ["start: chunks: 37, recorded 40 (-3, -7.5 %)"],
  });
});
