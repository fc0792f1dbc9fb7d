// docs/conformance.md: the tests that it names are there, and no row is missing.
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

test("every row names a test, and every test that is named exists", () => {
  for (const line of TEXT.split("\n").filter((each) => /^\| 1[01]\./.test(each))) {
    const paths = line.match(/[\w/-]+\.test\.(?:ts|sh)/g) ?? [];
    expect({ line, count: paths.length > 0 }).toEqual({ line, count: true });
    for (const path of paths) {
      const isThere = existsSync(new URL(`../${path}`, import.meta.url));
      expect({ path, isThere }).toEqual({ path, isThere: true });
    }
  }
});
