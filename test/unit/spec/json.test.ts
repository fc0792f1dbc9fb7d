import { describe, expect, test } from "bun:test";
import { ConfigError } from "../../../src/errors.ts";
import { MAX_JSON_DEPTH, MAX_JSON_LENGTH, parseJson } from "../../../src/spec/json.ts";
import { findSyntaxError } from "../../../src/spec/json-position.ts";

function messageOf(text: string): string {
  try {
    parseJson("x.json", text);
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as Error).message;
  }
  return "";
}

describe("numbers", () => {
  test.each([
    ["0", 0],
    ["-7", -7],
    ["9007199254740991", 9007199254740991],
    ["9007199254740993", 9007199254740993n],
    ["18446744073709551615", 18446744073709551615n],
    ["-9223372036854775808", -9223372036854775808n],
  ])("%s is exact", (text, value) => {
    expect(parseJson("x", `{"a": ${text}}`)).toEqual({ a: value });
    expect(parseJson("x", `[ ${text}]`)).toEqual([value]);
  });

  test.each(["1.5", "1.0", "1e3", "1E-2", "12345678901234567890.5", "-0.0", "1e999"])(
    "%s keeps its text",
    (text) => {
      const { a } = parseJson("x", `{"a":\n${text}}`) as { a: symbol };
      expect(typeof a).toBe("symbol");
      expect(a.description).toBe(text);
    },
  );

  test("digits in strings stay strings", () => {
    const text = '["12345678901234567890", "1.5", ",1.5", 1]';
    expect(parseJson("x", text)).toEqual(["12345678901234567890", "1.5", ",1.5", 1]);
  });
});

describe("members", () => {
  test("null is absent, in lists it stays", () => {
    expect(parseJson("x", '{"a":null,"b":{"c":null},"d":[null]}')).toEqual({ b: {}, d: [null] });
  });

  test("the last of duplicate keys wins", () => {
    expect(parseJson("x", '{"a":1,"a":2}')).toEqual({ a: 2 });
  });

  test("__proto__ pollutes nothing", () => {
    const value = parseJson("x", '{"__proto__":{"polluted":1.5}}') as object;
    expect(Object.hasOwn(value, "__proto__")).toBe(true);
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });
});

describe("limits", () => {
  const nest = (depth: number) => "[".repeat(depth) + "]".repeat(depth);
  const tooDeep = `x.json: nested deeper than ${MAX_JSON_DEPTH} arrays and objects`;

  test("depth", () => {
    expect(messageOf(nest(MAX_JSON_DEPTH))).toBe("");
    expect(messageOf(nest(MAX_JSON_DEPTH + 1))).toBe(tooDeep);
    expect(messageOf(`${'{"a":'.repeat(MAX_JSON_DEPTH + 1)}1${"}".repeat(MAX_JSON_DEPTH + 1)}`)).toBe(
      tooDeep,
    );
  });

  test("a million brackets do not overflow the stack, with and without exact numbers", () => {
    expect(messageOf(nest(1_000_000))).toBe(tooDeep);
    expect(messageOf(`[1.5,${nest(1_000_000)}]`)).toBe(tooDeep);
    expect(messageOf("[".repeat(1_000_000))).toMatch(/nested deeper than 64|column 1000001/);
  });

  test("length", () => {
    const text = `"${"a".repeat(MAX_JSON_LENGTH)}"`;
    expect(messageOf(text)).toBe(`x.json: longer than ${MAX_JSON_LENGTH} characters (${text.length})`);
  });
});

describe("findSyntaxError", () => {
  test.each([
    "",
    " ",
    "{",
    "[1,]",
    "[1 2]",
    '{"a"}',
    '{"a":}',
    '{"a":1,}',
    "{a:1}",
    "nul",
    "true false",
    "[01]",
    "[1.]",
    "[+1]",
    "[.5]",
    "[1e]",
    "[-]",
    '"a',
    '"\\u12"',
    '"\\q"',
    '"\n"',
    "[}",
    "{]",
    "]",
    "\ufeff{}",
    "[NaN]",
    "undefined",
    '{"a":1 "b":2}',
  ])("finds the place in %j", (text) => {
    expect(() => JSON.parse(text)).toThrow();
    expect(findSyntaxError(text)).toBeDefined();
  });

  test.each(["{}", "[]", "1", '"a\\u00e9\\n"', "null", ' { "a" : [ 1 , -2.5e+3 , true ] , "b" : { } } \n'])(
    "finds nothing in %j",
    (text) => expect(findSyntaxError(text)).toBeUndefined(),
  );

  test("counts lines and columns from 1", () => {
    expect(findSyntaxError('{\n  "a": tru\n}')).toEqual({
      line: 2,
      column: 8,
      message: 'expected a value, found "tru"',
    });
  });
});
