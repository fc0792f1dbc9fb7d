// Changed good configs and random JSON: parsing ends in a config or in a ConfigError, never in another error.
import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { ConfigError } from "../../src/errors.ts";
import { configWarnings, parseConfig, parseProcess, parseResources } from "../../src/spec/config.ts";
import { makeRandom } from "../random.ts";

/** Another run: TSRUNC_FUZZ_SEED=number. */
const SEED = Number(process.env.TSRUNC_FUZZ_SEED ?? Date.now() % 1_000_000_000);
const MILLISECONDS = 2_000;

const GOOD = new URL("../../spec-fixtures/good/", import.meta.url);
const texts = readdirSync(GOOD)
  .filter((file) => file.endsWith(".json"))
  .map((file) => readFileSync(new URL(file, GOOD), "utf8"));

/** Tokens that have broken parsers: they are put in place of values. */
// biome-ignore format: one list
const SPLICES = [
  "null", "true", "-1", "0", "1.5", "1e3", "1e999", "-0", "4294967295", "18446744073709551615",
  "18446744073709551616", "-9223372036854775809", '""', '"\\u0000"', '"__proto__"', '"\\ud800"', '"a\\nb"', '".."',
  "[]", "{}", "[[]]", "[null]", '{"":""}', '{"__proto__":{"a":1}}', '{"constructor":{"prototype":1}}',
  '{"toString":1}', "[0,0,0]", '["a","a"]', "tru", "]", "}", ",", "",
];

type Random = (below: number) => number;

/** Changes JSON text at a few places: tokens replaced, spans cut, doubled or swapped. */
function mutate(text: string, random: Random): string {
  let result = text;
  for (let n = 1 + random(4); n > 0; n--) {
    const at = random(result.length + 1);
    const kind = random(6);
    if (kind <= 2) {
      // A whole value: from a colon, comma or bracket to the next one.
      const start = result.slice(at).search(/[:,[]/) + at + 1;
      const length = Math.max(0, result.slice(start).search(/[,\]}]/));
      result =
        result.slice(0, start) + (SPLICES[random(SPLICES.length)] ?? "") + result.slice(start + length);
    } else if (kind === 3) {
      result = result.slice(0, at) + result.slice(at + random(20));
    } else if (kind === 4) {
      const piece = result.slice(at, at + random(80));
      result = result.slice(0, at) + piece + result.slice(at);
    } else {
      result =
        result.slice(0, at) + String.fromCharCode(random(random(2) === 0 ? 128 : 65536)) + result.slice(at);
    }
  }
  return result;
}

const NAMES = [
  ...new Set(texts.flatMap((text) => text.match(/"[\w.]+"(?=\s*:)/g) ?? [])),
  '"__proto__"',
  '""',
];

/** Random JSON with the member names of configs. */
function invent(random: Random, depth: number): string {
  const size = random(depth > 0 ? 6 : 1);
  const kind = random(depth > 0 ? 8 : 4);
  if (kind < 3) return SPLICES[random(28)] ?? "0";
  if (kind === 3) return `"${random(2) === 0 ? "/" : ""}${random(1000).toString(36)}"`;
  const items = Array.from({ length: size }, () => invent(random, depth - 1));
  if (kind === 4) return `[${items.join(",")}]`;
  return `{${items.map((item) => `${NAMES[random(NAMES.length)]}:${item}`).join(",")}}`;
}

function check(text: string): "accepted" | "refused" {
  try {
    configWarnings(parseConfig(text));
    return "accepted";
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    expect(error.problems.length).toBeGreaterThan(0);
    for (const { message } of error.problems) expect(message.length).toBeGreaterThan(0);
    return "refused";
  }
}

function runRounds(makeText: (random: Random) => string, use: (text: string) => void): number {
  const random = makeRandom(SEED);
  const end = performance.now() + MILLISECONDS;
  let rounds = 0;
  for (; performance.now() < end; rounds++) {
    const text = makeText(random);
    try {
      use(text);
    } catch (error) {
      throw new Error(`TSRUNC_FUZZ_SEED=${SEED}, round ${rounds}: ${text.slice(0, 2000)}`, { cause: error });
    }
  }
  return rounds;
}

test("changed good configs", () => {
  const counts = { accepted: 0, refused: 0 };
  const makeText = (random: Random) => mutate(texts[random(texts.length)] ?? "", random);
  const rounds = runRounds(makeText, (text) => counts[check(text)]++);
  expect(rounds).toBeGreaterThan(100);
  // Both ways are taken, or the changes are of no use.
  expect(counts.accepted).toBeGreaterThan(0);
  expect(counts.refused).toBeGreaterThan(0);
}, 10_000);

test("random JSON", () => {
  const makeText = (random: Random) => {
    const rest = invent(random, 5);
    if (random(4) === 0) return rest;
    const members = ["process", "linux", "mounts", "hooks", "root", "annotations"];
    return `{"ociVersion":"1.0.0",${members.map((name) => `"${name}":${invent(random, 5)}`).join(",")}}`;
  };
  expect(runRounds(makeText, check)).toBeGreaterThan(100);
}, 10_000);

test("random process and resources files", () => {
  const use = (text: string) => {
    for (const parse of [parseProcess, parseResources]) {
      try {
        parse(text);
      } catch (error) {
        if (!(error instanceof ConfigError)) throw error;
      }
    }
  };
  expect(runRounds((random) => invent(random, 5), use)).toBeGreaterThan(100);
}, 10_000);
