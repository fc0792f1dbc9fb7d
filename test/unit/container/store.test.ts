import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { containerPaths, formatTimestamp } from "../../../src/container/record.ts";
import {
  checkId,
  createContainerDir,
  findRecord,
  listIds,
  readRecord,
  removeContainerDir,
  writeRecord,
} from "../../../src/container/store.ts";
import { phrases } from "../../../src/errors.ts";
import { type Fixture, makeFixture, makeRecord } from "./fixture.ts";

let fixture: Fixture;
beforeEach(() => {
  fixture = makeFixture();
});
afterEach(() => fixture.remove());

describe("ids", () => {
  for (const id of ["a", "A-b_c+d.e", ".a", "...", "-x", "x".repeat(255)]) {
    test(`takes ${id.slice(0, 20)}`, () => expect(() => checkId(id)).not.toThrow());
  }
  const bad = [
    "",
    ".",
    "..",
    "../x",
    "a/b",
    "a b",
    "a\n",
    "\na",
    "a\0b",
    "ä",
    "a:b",
    "@a",
    "x".repeat(256),
    "x".repeat(2000),
  ];
  for (const id of bad) {
    test(`refuses ${JSON.stringify(id).slice(0, 20)}`, () =>
      expect(() => checkId(id)).toThrow(phrases.invalidId));
  }

  test("every function that makes a path checks", () => {
    const { ctx } = fixture;
    for (const use of [createContainerDir, readRecord, findRecord, removeContainerDir]) {
      expect(() => use(ctx, "../x")).toThrow(phrases.invalidId);
    }
    expect(() => writeRecord(ctx, makeRecord("../x"))).toThrow(phrases.invalidId);
  });
});

describe("directories", () => {
  test("modes, whatever the umask", () => {
    const before = process.umask(0o077);
    try {
      fixture.add("a");
    } finally {
      process.umask(before);
    }
    const { root } = fixture.ctx;
    expect(statSync(root).mode & 0o7777).toBe(0o711);
    expect(statSync(join(root, "a")).mode & 0o7777).toBe(0o700);
    expect(statSync(join(root, "a/state.json")).mode & 0o7777).toBe(0o600);
  });

  test("an id is taken once", () => {
    createContainerDir(fixture.ctx, "a");
    expect(() => createContainerDir(fixture.ctx, "a")).toThrow(phrases.exists);
  });

  test("an existing root keeps its mode", () => {
    mkdirSync(fixture.ctx.root, { mode: 0o750 });
    createContainerDir(fixture.ctx, "a");
    expect(statSync(fixture.ctx.root).mode & 0o7777).toBe(0o750);
  });

  test("a root that cannot be made", () => {
    writeFileSync(fixture.ctx.root, "");
    expect(() => createContainerDir(fixture.ctx, "a")).toThrow(
      /^containers' root: mkdir .*: (not a directory|file exists)$/,
    );
  });

  test("removal follows no symbolic link", () => {
    const { ctx } = fixture;
    const outside = join(ctx.cwd, "outside");
    mkdirSync(join(outside, "folder"), { recursive: true });
    writeFileSync(join(outside, "file"), "kept");
    fixture.add("a");
    const dir = join(ctx.root, "a");
    symlinkSync(outside, join(dir, "link"));
    symlinkSync(join(outside, "file"), join(dir, "config.json"));
    mkdirSync(join(dir, "nested/deeper"), { recursive: true });
    symlinkSync(outside, join(dir, "nested/deeper/link"));
    removeContainerDir(ctx, "a");
    expect(existsSync(dir)).toBe(false);
    expect(readFileSync(join(outside, "file"), "utf8")).toBe("kept");
    expect(readdirSync(outside).sort()).toEqual(["file", "folder"]);
  });

  test("removal of a link in place of the directory leaves its target", () => {
    const { ctx } = fixture;
    mkdirSync(join(ctx.cwd, "target"));
    mkdirSync(ctx.root);
    symlinkSync(join(ctx.cwd, "target"), join(ctx.root, "a"));
    writeFileSync(join(ctx.cwd, "target/file"), "kept");
    removeContainerDir(ctx, "a");
    expect(existsSync(join(ctx.root, "a"))).toBe(false);
    expect(existsSync(join(ctx.cwd, "target/file"))).toBe(true);
  });

  test("removal of what is not there", () => removeContainerDir(fixture.ctx, "a"));
});

describe("records", () => {
  test("come back as they were written", () => {
    const annotations = JSON.parse('{"__proto__": "x", "b": "y"}');
    const record = fixture.add("a", { annotations, pid: 7, startTime: "18446744073709551615" });
    expect(readRecord(fixture.ctx, "a")).toEqual(record);
  });

  test("none", () => {
    expect(() => readRecord(fixture.ctx, "a")).toThrow(phrases.absent);
    createContainerDir(fixture.ctx, "a");
    expect(() => readRecord(fixture.ctx, "a")).toThrow(phrases.absent);
    expect(findRecord(fixture.ctx, "a")).toBeUndefined();
  });

  test("a rewrite leaves no other file", () => {
    const record = fixture.add("a");
    writeRecord(fixture.ctx, { ...record, pid: 9 });
    expect(readdirSync(join(fixture.ctx.root, "a"))).toEqual(["state.json"]);
    expect(readRecord(fixture.ctx, "a").pid).toBe(9);
  });

  const broken: readonly (readonly [string, RegExp])[] = [
    ["", /not JSON$/],
    ["{", /not JSON$/],
    ["null", /another version/],
    ['{"version":2}', /another version/],
    [JSON.stringify({ ...makeRecord("b") }), /belongs to container "b"$/],
  ];
  for (const [text, message] of broken) {
    test(`broken: ${text.slice(0, 20)}`, () => {
      createContainerDir(fixture.ctx, "a");
      writeFileSync(containerPaths(fixture.ctx.root, "a").record, text);
      expect(() => readRecord(fixture.ctx, "a")).toThrow(message);
    });
  }
});

test("ids are listed in order, without what is none", () => {
  for (const id of ["b", "a", ".c"]) fixture.add(id);
  writeFileSync(join(fixture.ctx.root, "not an id"), "");
  expect(listIds(fixture.ctx)).toEqual([".c", "a", "b"]);
  rmSync(fixture.ctx.root, { recursive: true });
  expect(listIds(fixture.ctx)).toBeUndefined();
});

test("timestamps have nine digits", () => {
  expect(formatTimestamp(new Date("2026-01-02T03:04:05.678Z"))).toBe("2026-01-02T03:04:05.678000000Z");
});
