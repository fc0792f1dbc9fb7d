// Reads JSON text into values that lose nothing: 64-bit integers stay exact, size and depth are limited, and a
// syntax error is told with its line and column.
import { ConfigError } from "../errors.ts";
import { findSyntaxError } from "./json-position.ts";

/** Largest document, in characters. Docker's largest configs are about 100 KB. */
export const MAX_JSON_LENGTH = 16 * 1024 * 1024;

/** Deepest nesting of arrays and objects. runtime-spec 1.3 itself needs seven levels. */
export const MAX_JSON_DEPTH = 64;

/**
 * A number that JSON.parse alone may change: 16 digits or more, a fraction or an exponent. It begins with a digit, so that
 * most of a text is passed over quickly; a hit inside a string only costs time.
 */
const INEXACT = /\d(?:\d{15}|[.eE][-+]?\d+\s*(?:[,\]}]|$))/;

/**
 * A number of the document that is not written as a plain integer: `1.5`, `1e3`, `1.0`. Its description is the text.
 * Nothing else in JSON is a symbol, so that nobody takes one for what a member should be.
 */
type WrittenNumber = symbol;

/** TypeScript's library does not know the third parameter yet (ECMAScript proposal "JSON.parse source text access"). */
type SourceReviver = (key: string, value: unknown, context: { readonly source?: string }) => unknown;
const parseWithSource = JSON.parse as (text: string, reviver: SourceReviver) => unknown;

function keepExact(_key: string, value: unknown, context: { readonly source?: string }): unknown {
  if (typeof value !== "number" || context.source === undefined) return value;
  if (!/^-?\d+$/.test(context.source)) return Symbol(context.source) satisfies WrittenNumber;
  return Number.isSafeInteger(value) ? value : BigInt(context.source);
}

/**
 * Drops members that are null, in place: Go, in which all callers are written, writes null for an absent list
 * and reads it as absent.
 * @returns whether the document is nested deeper than the limit
 */
function dropNulls(value: object, depth: number): boolean {
  if (depth > MAX_JSON_DEPTH) return true;
  if (Array.isArray(value)) {
    for (const item of value) {
      if (typeof item === "object" && item !== null && dropNulls(item, depth + 1)) return true;
    }
    return false;
  }
  const members = value as Record<string, unknown>;
  for (const key of Object.keys(members)) {
    const item = members[key];
    if (typeof item !== "object") continue;
    if (item === null) delete members[key];
    else if (dropNulls(item, depth + 1)) return true;
  }
  return false;
}

function syntaxError(document: string, text: string, error: unknown): Error {
  // Anything but a syntax error here is the engine's stack limit.
  if (!(error instanceof SyntaxError)) return tooDeep(document);
  const found = findSyntaxError(text);
  const where = found === undefined ? "" : `line ${found.line}, column ${found.column}: `;
  return new ConfigError(document, [{ path: "", message: `${where}${found?.message ?? error.message}` }]);
}

function tooDeep(document: string): ConfigError {
  return new ConfigError(document, [
    { path: "", message: `nested deeper than ${MAX_JSON_DEPTH} arrays and objects` },
  ]);
}

/**
 * Parses a JSON document. Integers beyond 2^53 become bigint, other numbers that are not plain integers a
 * {@link WrittenNumber}; null members are dropped; of duplicate keys the last wins; `__proto__` is a member like
 * any other.
 * @param document name of the document, for errors
 * @throws ConfigError if the text is too long, too deep or not JSON
 */
export function parseJson(document: string, text: string): unknown {
  if (text.length > MAX_JSON_LENGTH) {
    const message = `longer than ${MAX_JSON_LENGTH} characters (${text.length})`;
    throw new ConfigError(document, [{ path: "", message }]);
  }
  let value: unknown;
  try {
    value = INEXACT.test(text) ? parseWithSource(text, keepExact) : JSON.parse(text);
  } catch (error) {
    throw syntaxError(document, text, error);
  }
  if (typeof value === "object" && value !== null && dropNulls(value, 1)) throw tooDeep(document);
  return value;
}

/** JSON text of a value in which integers may be bigint; {@link parseJson} reads it back without loss. */
export function formatJson(value: unknown): string {
  if (typeof value === "bigint") return String(value);
  if (Array.isArray(value)) return `[${value.map(formatJson).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${formatJson(member)}`).join(",")}}`;
}
