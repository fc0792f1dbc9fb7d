// Programs are kept by what they were compiled from, and used only if nobody else can have written them.
import { afterAll, describe, expect, test } from "bun:test";
import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Context } from "../../../src/context.ts";
import { findProgram, keepProgram } from "../../../src/host/filter-cache.ts";
import { loadFilter } from "../../../src/host/seccomp.ts";
import type { Seccomp } from "../../../src/spec/config.ts";
import { context } from "../../init/init.ts";

const directory = mkdtempSync(join(tmpdir(), "tsrunc-filter-cache-"));
afterAll(() => rmSync(directory, { recursive: true }));
let count = 0;
const warnings: string[] = [];

function makeRoot(): Context {
  count += 1;
  warnings.length = 0;
  const root = join(directory, String(count));
  mkdirSync(root, { mode: 0o711 });
  return { ...context, root, log: { ...context.log, warn: (text) => void warnings.push(text) } };
}

const profile: Seccomp = {
  defaultAction: "SCMP_ACT_ALLOW",
  syscalls: [{ names: ["mkdir"], action: "SCMP_ACT_ERRNO" }],
};
const marker = new Uint8Array(new Uint32Array([0x06, 0x7ffc0000]).buffer);

/** A root with one entry, and the entry's path. */
function makeEntry(): { readonly ctx: Context; readonly dir: string; readonly path: string } {
  const ctx = makeRoot();
  loadFilter(ctx, profile, "x86_64");
  const dir = join(ctx.root, "@seccomp");
  const [name = ""] = readdirSync(dir);
  return { ctx, dir, path: join(dir, name) };
}

test("an entry is private, and used instead of compiling", () => {
  const { ctx, dir, path } = makeEntry();
  expect([lstatSync(dir).mode & 0o7777, lstatSync(path).mode & 0o7777]).toEqual([0o700, 0o600]);
  const compiled = loadFilter(ctx, profile, "x86_64").program;
  expect(compiled.length).toBeGreaterThan(16);
  // The same key and library, another program: what comes back shows where it came from.
  const text = readFileSync(path);
  const line = text.indexOf(10);
  const header = JSON.parse(text.toString("utf8", 0, line));
  const key = text.toString("utf8", line + 1, line + 1 + header.keyBytes);
  keepProgram({ ctx, dir, key }, marker, header.library.path);
  expect(loadFilter(ctx, profile, "x86_64").program).toEqual(marker);
  expect(readdirSync(dir).length).toBe(1);
  expect(warnings).toEqual([]);
});

test("flags are not part of it, every part of a rule is", () => {
  const { ctx, dir } = makeEntry();
  loadFilter(ctx, { ...profile, flags: ["SECCOMP_FILTER_FLAG_LOG"], listenerPath: "/x" }, "x86_64");
  expect(readdirSync(dir).length).toBe(1);
  const condition = { index: 0, value: 2n ** 63n, op: "SCMP_CMP_EQ" as const };
  const others: readonly Seccomp[] = [
    { ...profile, defaultAction: "SCMP_ACT_LOG" },
    { ...profile, architectures: ["SCMP_ARCH_X86"] },
    { ...profile, syscalls: [{ names: ["mkdir"], action: "SCMP_ACT_ERRNO", errnoRet: 2 }] },
    { ...profile, syscalls: [{ names: ["mkdir"], action: "SCMP_ACT_ERRNO", args: [condition] }] },
    {
      ...profile,
      syscalls: [
        { names: ["mkdir"], action: "SCMP_ACT_ERRNO", args: [{ ...condition, value: condition.value + 1n }] },
      ],
    },
  ];
  for (const other of others) loadFilter(ctx, other, "x86_64");
  expect(readdirSync(dir).length).toBe(1 + others.length);
});

describe("an entry is not used", () => {
  const cases: Readonly<Record<string, (path: string) => void>> = {
    "when others can write it": (path) => chmodSync(path, 0o666),
    "of another owner": (path) => chownSync(path, 1000, 1000),
    "behind a link": (path) => {
      renameSync(path, `${path}.moved`);
      symlinkSync(`${path}.moved`, path);
    },
    "with a byte changed": (path) => {
      const bytes = readFileSync(path);
      bytes[bytes.length - 4] = (bytes[bytes.length - 4] ?? 0) ^ 1;
      writeFileSync(path, bytes);
    },
    "cut short": (path) => writeFileSync(path, readFileSync(path).subarray(0, -8)),
    empty: (path) => writeFileSync(path, ""),
    "compiled by another library": (path) => {
      const text = readFileSync(path, "utf8");
      writeFileSync(path, text.replace(/"inode":\d+/, '"inode":1'));
    },
    "in a directory that others can write": (path) => chmodSync(join(path, ".."), 0o777),
  };
  for (const [name, spoil] of Object.entries(cases))
    test(name, () => {
      const { ctx, path, dir } = makeEntry();
      const text = readFileSync(path);
      const line = text.indexOf(10);
      const { keyBytes } = JSON.parse(text.toString("utf8", 0, line));
      const key = text.toString("utf8", line + 1, line + 1 + keyBytes);
      expect(findProgram({ ctx, dir, key })).toBeDefined();
      spoil(path);
      expect(findProgram({ ctx, dir, key })).toBeUndefined();
      expect(loadFilter(ctx, profile, "x86_64").program.length).toBeGreaterThan(16);
    });
});

test("a cache that cannot be written is a warning", () => {
  const ctx = makeRoot();
  writeFileSync(join(ctx.root, "@seccomp"), "");
  expect(loadFilter(ctx, profile, "x86_64").program.length).toBeGreaterThan(16);
  expect(warnings.at(-1)).toStartWith("seccomp cache is not written: ");
});

test("beyond 64 entries the oldest go", () => {
  const { ctx, dir, path } = makeEntry();
  for (let i = 1; i < 64; i++) {
    const old = join(dir, String(i));
    writeFileSync(old, "");
    utimesSync(old, i, i);
  }
  utimesSync(path, 1e9, 1e9);
  loadFilter(ctx, { ...profile, defaultAction: "SCMP_ACT_LOG" }, "x86_64");
  const names = readdirSync(dir);
  expect(names.length).toBe(33);
  expect(names).toContain(path.slice(dir.length + 1));
  expect(names).not.toContain("1");
});
