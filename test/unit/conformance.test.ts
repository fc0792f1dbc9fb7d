// docs/conformance.md: the tests that it names are there, no row is missing, and sums are right.
import { expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";

const TEXT = readFileSync(new URL("../../docs/conformance.md", import.meta.url), "utf8");

/** The rows of one chapter in their order, ranges spelled out. */
function listRows(chapter: number): number[] {
  const rows = TEXT.matchAll(new RegExp(`^\\| ${chapter}\\.(\\d+)(?:-${chapter}\\.(\\d+))? `, "gm"));
  return [...rows].flatMap(([, first, last]) =>
    Array.from({ length: Number(last ?? first) - Number(first) + 1 }, (_, i) => Number(first) + i),
  );
}

const range = (first: number, last: number): number[] =>
  Array.from({ length: last - first + 1 }, (_, i) => first + i);

test("every row is there once", () => {
  expect(listRows(10)).toEqual([...range(1, 26), ...range(30, 37), ...range(40, 57)]);
  expect(listRows(11)).toEqual(range(1, 39));
});

const findTests = (text: string): readonly string[] => text.match(/[\w/-]+\.test\.(?:ts|sh)/g) ?? [];

test("every row names a test, and every test that is named exists", () => {
  for (const line of TEXT.split("\n").filter((each) => /^\| 1[01]\./.test(each)))
    expect({ line, isTested: findTests(line).length > 0 }).toEqual({ line, isTested: true });
  for (const path of findTests(TEXT)) {
    const isThere = existsSync(new URL(`../${path}`, import.meta.url));
    expect({ path, isThere }).toEqual({ path, isThere: true });
  }
});

test("the validation suite: every program once, the sum, and a test of ours for each that fails", () => {
  const [, section = ""] = TEXT.split("## The validation suite of runtime-tools\n");
  const [, total, passed] = /The (\d+) programs[\s\S]*?: (\d+) pass\./.exec(section) ?? [];
  const rows = [...section.matchAll(/^\| `(\w+)` +\| (passes|fails: [^|]*[^| ]) *\|(.*)\|$/gm)];
  const names = rows.map(([, name = ""]) => name);
  expect(names).toEqual([...new Set(names)].sort());
  expect(rows.length).toBe(Number(total));
  expect(rows.filter(([, , result]) => result === "passes").length).toBe(Number(passed));
  for (const [line, , result, tests = ""] of rows)
    if (result !== "passes")
      expect({ line, count: findTests(tests).length > 0 }).toEqual({ line, count: true });
});
