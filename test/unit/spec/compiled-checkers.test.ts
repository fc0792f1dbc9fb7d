// The schemas as scripts/compile-schemas.ts compiles them for the executable, against zod: over every fixture (good ones
// are what engines write), with each of their values replaced by each token, and with members moved about.
import { describe, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compileSchemas } from "../../../scripts/compile-schemas.ts";
import { formatJson, parseJson } from "../../../src/spec/json.ts";
import { type DocumentKind, runSchema } from "../../../src/spec/schemas.ts";
import { makeRandom } from "../../random.ts";

async function loadCompiled(): Promise<typeof import("../../../src/spec/compiled-checkers.ts")> {
  const folder = mkdtempSync(join(tmpdir(), "tsrunc-compiled-"));
  try {
    writeFileSync(join(folder, "checkers.mjs"), compileSchemas());
    return await import(join(folder, "checkers.mjs"));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const compiled = await loadCompiled();
const CHECKERS = {
  config: compiled.checkConfig,
  process: compiled.checkProcess,
  resources: compiled.checkResources,
};

/** Members with a record for a schema, which a compiled checker leaves to zod. */
const RARE = ["timeOffsets", "netDevices", "rdma"];

const FIXTURES = new URL("../../../spec-fixtures/", import.meta.url);

function readFolder(folder: string): [string, string][] {
  const files = readdirSync(new URL(folder, FIXTURES)).filter((file) => file.endsWith(".json"));
  return files.map((file) => [file, readFileSync(new URL(folder + file, FIXTURES), "utf8")]);
}

/** Where two values differ in anything that a program can see; undefined if in nothing. */
function findDifference(a: unknown, b: unknown, path = ""): string | undefined {
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null)
    return Object.is(a, b) ? undefined : path;
  if (Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) return `${path}: prototype`;
  if (Object.isFrozen(a) !== Object.isFrozen(b)) return `${path}: frozen`;
  const keys = Reflect.ownKeys(a);
  const names = keys.map(String).join();
  if (names !== Reflect.ownKeys(b).map(String).join()) return `${path}: members ${names}`;
  for (const key of keys) {
    const found = findDifference(Reflect.get(a, key), Reflect.get(b, key), `${path}.${String(key)}`);
    if (found !== undefined) return found;
  }
  return undefined;
}

type Verdict = "accepted" | "refused" | "left to zod";

/** Compares both on a document that may be no such document at all. */
function compare(kind: DocumentKind, text: string): Verdict {
  return compareOn(kind, parseJson("x", text), text);
}

function compareOn(kind: DocumentKind, input: unknown, text: string): Verdict {
  const before = copy(input);
  const { value, issues } = runSchema(kind, input);
  const result = CHECKERS[kind](input);
  const problem = (what: string) => new Error(`${kind}: ${what}: ${text}`);
  if (findDifference(input, before) !== undefined) throw problem("the document has changed");
  if (result === undefined) {
    if (issues.length > 0) return "refused";
    if (RARE.some((name) => text.includes(`"${name}":`))) return "left to zod";
    throw problem("zod has no issue with it");
  }
  if (issues.length > 0) throw problem(`accepted, though ${issues[0]?.message}`);
  const difference = findDifference(result, value);
  if (difference !== undefined) throw problem(`not what zod gives at ${difference}`);
  return "accepted";
}

/** What structuredClone does, which does not know the symbols of written numbers. */
function copy(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(copy);
  const result = {};
  for (const [name, item] of Object.entries(value)) {
    const member = { value: copy(item), configurable: true, enumerable: true, writable: true };
    Object.defineProperty(result, name, member);
  }
  return result;
}

/** JSON texts that stand in place of values: every type, and numbers around every limit. */
// biome-ignore format: one list
const TOKENS = [
  "null", "true", "false", '""', '"a"', '"/"', '"__proto__"', '"1"', "[]", "{}", "[[]]", "[{}]", "[null]", '[""]', '["a"]',
  "[0]", "[1.5]", '{"a":"b"}', '{"":""}', '{"b":"","2":"","a":"","1":""}', '{"__proto__":"a"}', '{"__proto__":{"path":"a"}}',
  '{"toString":1}', '{"length":0}', '{"path":"a"}', '{"a":null}', '{"a":1.5}', "0", "-0", "1", "-1", "5", "6", "7", "8", "1.5", "1.0",
  "1e3", "1e400", "-1000", "-1001", "1000", "1001", "511", "512", "65535", "65536", "999999999", "1000000000",
  "2147483647", "2147483648", "-2147483648", "-2147483649", "4294967294", "4294967295", "4294967296",
  "9007199254740991", "9007199254740992", "9007199254740993", "-9007199254740993", "9223372036854775807",
  "9223372036854775808", "-9223372036854775808", "-9223372036854775809", "18446744073709551615",
  "18446744073709551616", "99999999999999999999999999",
];

type Path = readonly (string | number)[];

/** The places of a value, itself first. */
function listPlaces(value: unknown, path: Path = []): Path[] {
  if (typeof value !== "object" || value === null) return [path];
  const below = Array.isArray(value) ? [...value.entries()] : Object.entries(value);
  return [path, ...below.flatMap(([key, item]) => listPlaces(item, [...path, key]))];
}

/** JSON text of what parseJson gives. */
function format(value: unknown): string {
  if (typeof value === "symbol") return value.description ?? "";
  if (Array.isArray(value)) return `[${value.map(format).join()}]`;
  if (typeof value !== "object" || value === null) return formatJson(value);
  return `{${listMembers(value).join()}}`;
}

function listMembers(value: object): string[] {
  return Object.entries(value).map(([name, item]) => `${JSON.stringify(name)}:${format(item)}`);
}

/** JSON text of a value with `token` in place of what stands at `path`. */
function replaceAt(value: unknown, path: Path, token: string): string {
  const [key, ...rest] = path;
  if (key === undefined) return token;
  const write = (item: unknown, own: string | number) =>
    own === key ? replaceAt(item, rest, token) : format(item);
  if (Array.isArray(value)) return `[${value.map(write).join()}]`;
  const members = Object.entries(value as object);
  return `{${members.map(([name, item]) => `${JSON.stringify(name)}:${write(item, name)}`).join()}}`;
}

/** Drops members, adds some under names that other objects use, turns their order, and puts tokens in places. */
function mutate(text: string, names: readonly string[], random: (below: number) => number): string {
  let result = text;
  for (let n = 1 + random(3); n > 0; n--) {
    const value = parseJson("x", result);
    const places = listPlaces(value);
    const path = places[random(places.length)] ?? [];
    const old: unknown = path.reduce<unknown>((item, key) => Reflect.get(item as object, key), value);
    const change = random(6);
    if (change <= 1 || typeof old !== "object" || old === null) {
      result = replaceAt(value, path, TOKENS[random(TOKENS.length)] ?? "");
      continue;
    }
    const items = Array.isArray(old) ? old.map(format) : listMembers(old);
    if (change === 2) items.splice(random(items.length), 1);
    else if (change === 3) items.reverse();
    else if (Array.isArray(old)) items.push(items[random(items.length)] ?? "0");
    else items.unshift(`"${names[random(names.length)]}":"a"`);
    result = replaceAt(value, path, Array.isArray(old) ? `[${items.join()}]` : `{${items.join()}}`);
  }
  return result;
}

describe("as they are", () => {
  test.each(readFolder("good/"))("good/%s is accepted", (_name, text) => {
    const isRare = RARE.some((name) => text.includes(`"${name}"`));
    expect(compare("config", text)).toBe(isRare ? "left to zod" : "accepted");
  });

  test("most of the good ones have nothing rare", () => {
    const rare = readFolder("good/").filter(([, text]) => RARE.some((name) => text.includes(`"${name}"`)));
    expect(rare.map(([name]) => name)).toEqual(["full.json"]);
  });

  test.each(
    readFolder("bad/").filter(([, text]) => {
      try {
        parseJson("x", text);
        return true;
      } catch {
        return false;
      }
    }),
  )("bad/%s", (_name, text) => {
    compare("config", text);
  });
});

/** The config with every member, without the rare ones (no other value hides behind them), in three documents. */
function readFull(): Readonly<Record<DocumentKind, unknown>> {
  const text = readFileSync(new URL("good/full.json", FIXTURES), "utf8");
  // biome-ignore lint/suspicious/noExplicitAny: a document, to cut pieces from
  const config = parseJson("x", text) as any;
  delete config.linux.timeOffsets;
  delete config.linux.netDevices;
  delete config.linux.resources.rdma;
  const { process } = config;
  const { resources } = config.linux;
  config.process = { cwd: "/" };
  config.linux.resources = { pids: { limit: 1 } };
  return { config, process, resources };
}

const FULL = readFull();
const KINDS = Object.keys(FULL) as DocumentKind[];

test.each(KINDS)(
  "each value of a full %s replaced by each token",
  (kind) => {
    const counts: Record<Verdict, number> = { accepted: 0, refused: 0, "left to zod": 0 };
    const marker = "@marker@";
    for (const path of listPlaces(FULL[kind])) {
      // Documents of their own.
      if (kind === "config" && (path[0] === "process" || path[1] === "resources") && path.length > 2)
        continue;
      const [before = "", after = ""] = replaceAt(FULL[kind], path, marker).split(marker);
      for (const token of TOKENS) counts[compare(kind, before + token + after)]++;
    }
    expect(counts["left to zod"]).toBe(0);
    expect(counts.accepted).toBeGreaterThan(200);
    expect(counts.refused).toBeGreaterThan(1000);
  },
  60_000,
);

test("values that no JSON has are judged alike too", () => {
  const judge = (uid: unknown, hard: unknown, umask?: unknown) => {
    const user = umask === undefined ? { uid, gid: 0 } : { uid, gid: 0, umask };
    const document = { cwd: "/", user, rlimits: [{ type: "RLIMIT_CPU", soft: 0, hard }] };
    return compareOn("process", document, [uid, hard, umask].map(String).join());
  };
  expect(judge(0, 0)).toBe("accepted");
  for (const value of [0.5, 4294967293.5, Number.NaN, Infinity, -Infinity, undefined, null, Symbol("1")]) {
    expect(judge(value, 0)).toBe("refused");
    expect(judge(0, value)).toBe("refused");
    if (value !== undefined) expect(judge(0, 0, value)).toBe("refused");
  }
});

/** Another run: TSRUNC_FUZZ_SEED=number. */
const SEED = Number(process.env.TSRUNC_FUZZ_SEED ?? 6);

test(`members moved about (seed ${SEED})`, () => {
  const random = makeRandom(SEED);
  const texts = [...readFolder("good/").map(([, text]) => text), format(FULL.config)];
  const names = [...new Set(texts.flatMap((text) => text.match(/\w+(?="\s*:)/g) ?? [])), "__proto__", ""];
  const counts: Record<Verdict, number> = { accepted: 0, refused: 0, "left to zod": 0 };
  for (let n = 0; n < 6000; n++) {
    const kind = KINDS[n % 5] ?? "config";
    const text = kind === "config" ? (texts[n % texts.length] ?? "") : format(FULL[kind]);
    counts[compare(kind, mutate(text, names, random))]++;
  }
  expect(counts.accepted).toBeGreaterThan(500);
  expect(counts.refused).toBeGreaterThan(1000);
}, 60_000);
