import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chooseRoot } from "../../../src/cli/root.ts";

let runtimeDir: string;
beforeEach(() => {
  runtimeDir = mkdtempSync(join(tmpdir(), "tsrunc-root-"));
});
afterEach(() => rmSync(runtimeDir, { recursive: true }));

const caller = (euid: number, env: Record<string, string> = {}): Parameters<typeof chooseRoot>[0] => ({
  cwd: "/work-dir",
  env: { XDG_RUNTIME_DIR: runtimeDir, ...env },
  euid,
});
const inInitialNamespace = /^\s*0\s+0\s+4294967295\s*$/.test(readFileSync("/proc/self/uid_map", "utf8"));

describe("--root", () => {
  test("absolute, relative, cleaned", () => {
    expect(chooseRoot(caller(0), "/a/b/")).toBe("/a/b");
    expect(chooseRoot(caller(0), "a/../b")).toBe("/work-dir/b");
  });
  test("is never /", () => {
    for (const root of ["/", "//", "/a/..", "../..", "/."]) {
      expect(() => chooseRoot(caller(0), root)).toThrow("must not be /");
    }
  });
});

describe("without --root", () => {
  test.skipIf(!inInitialNamespace)("root has /run/tsrunc", () => {
    expect(chooseRoot(caller(0), undefined)).toBe("/run/tsrunc");
  });
  test("root by name has it in a user namespace too", () => {
    expect(chooseRoot(caller(0, { USER: "root" }), undefined)).toBe("/run/tsrunc");
  });
  test("others have a sticky directory of theirs", () => {
    const root = chooseRoot(caller(1000), undefined);
    expect(root).toBe(join(runtimeDir, "tsrunc"));
    expect(statSync(root).mode & 0o7777).toBe(0o1700);
    expect(chooseRoot(caller(1000), undefined)).toBe(root);
  });
  test("without a usable XDG_RUNTIME_DIR there is only /run/tsrunc", () => {
    for (const dir of ["", "relative"]) {
      expect(chooseRoot(caller(1000, { XDG_RUNTIME_DIR: dir }), undefined)).toBe("/run/tsrunc");
    }
  });
});
