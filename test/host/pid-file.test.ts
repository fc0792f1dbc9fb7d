import { afterAll, expect, test } from "bun:test";
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writePidFile } from "../../src/host/pid-file.ts";
import { context } from "../init/init.ts";

const folder = mkdtempSync(join(tmpdir(), "tsrunc-pid-"));
afterAll(() => rmSync(folder, { recursive: true }));
const ctx = { ...context, cwd: folder };

test("holds the pid in decimal, without a newline; an old one is replaced", () => {
  writePidFile(ctx, "pid", 123456);
  expect(readFileSync(join(folder, "pid"), "utf8")).toBe("123456");
  writePidFile(ctx, join(folder, "pid"), 7);
  expect(readFileSync(join(folder, "pid"), "utf8")).toBe("7");
  expect(readdirSync(folder)).toEqual(["pid"]);
});
test("a symbolic link under its name, or under the temporary one, is not written through", () => {
  const victim = join(folder, "victim");
  writeFileSync(victim, "kept");
  symlinkSync(victim, join(folder, "link"));
  symlinkSync(victim, join(folder, ".link.8"));
  writePidFile(ctx, "link", 8);
  expect(readFileSync(victim, "utf8")).toBe("kept");
  expect(readFileSync(join(folder, "link"), "utf8")).toBe("8");
});
test("a directory that is missing is an error, and a directory in its place leaves nothing behind", () => {
  expect(() => writePidFile(ctx, "none/pid", 1)).toThrow(
    /^write the pid file: open\(".*none\/\.pid\.1", .*\): no such file or directory$/,
  );
  const before = readdirSync(folder);
  expect(() => writePidFile({ ...context, cwd: tmpdir() }, folder, 1)).toThrow("write the pid file: rename");
  expect(readdirSync(folder)).toEqual(before);
  expect(existsSync(join(tmpdir(), `.${folder.split("/").at(-1)}.1`))).toBe(false);
});
