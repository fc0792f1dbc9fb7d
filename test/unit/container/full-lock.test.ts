// What stands for a lock where none can be made.
import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { lockDirectory } from "../../../src/container/full-lock.ts";
import { containerPaths } from "../../../src/container/record.ts";
import { phrases } from "../../../src/errors.ts";
import { type Fixture, makeFixture } from "./fixture.ts";

let fixture: Fixture;
let dir = "";
beforeEach(() => {
  fixture = makeFixture();
  fixture.add("a");
  ({ dir } = containerPaths(fixture.ctx.root, "a"));
});
afterEach(() => fixture.remove());

const openFiles = (): number => readdirSync("/proc/self/fd").length;

test("is held by one at a time, and leaves nothing open", () => {
  const before = openFiles();
  const release = lockDirectory(fixture.ctx, dir);
  expect(release).toBeDefined();
  expect(lockDirectory(fixture.ctx, dir)).toBeUndefined();
  release?.();
  const again = lockDirectory(fixture.ctx, dir);
  expect(again).toBeDefined();
  again?.();
  expect(openFiles()).toBe(before);
});

test("of a directory that is gone; that of a later container is another", () => {
  const before = openFiles();
  const moved = `${dir}.moved`;
  const release = lockDirectory(fixture.ctx, dir);
  renameSync(dir, moved);
  expect(() => lockDirectory(fixture.ctx, dir)).toThrow(phrases.absent);
  mkdirSync(dir);
  lockDirectory(fixture.ctx, dir)?.();
  release?.();
  rmSync(moved, { recursive: true });
  expect(openFiles()).toBe(before);
});
