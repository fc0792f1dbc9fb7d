// Words the issues that zod finds, and writes JSON paths as the program prints them everywhere.
import type { Problem } from "../errors.ts";

/** One way down from a document's root: member names and array indexes. */
export type Segments = readonly (string | number)[];

/** The part of zod's raw issues that is worded here. zod's own texts are never shown. */
export interface RawIssue {
  readonly code?: string | undefined;
  readonly path?: readonly PropertyKey[] | undefined;
  readonly input?: unknown;
  readonly expected?: unknown;
  readonly values?: readonly unknown[];
  readonly message?: unknown;
}

/** A number of the document that is not written as a plain integer: `1.5`, `1e3`, `1.0`. Keeps its text. */
export class WrittenNumber {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

/** A member name that can stand after a dot without quotes. */
function isPlainName(name: string): boolean {
  return /^[A-Za-z_$][A-Za-z0-9_$-]*$/.test(name);
}

/** `mounts[3].options[0]`, `linux.sysctl["net.ipv4.ip_forward"]`; empty for the document itself. */
export function formatPath(segments: Segments): string {
  let text = "";
  for (const segment of segments) {
    if (typeof segment === "number") text += `[${segment}]`;
    else if (!isPlainName(segment)) text += `[${JSON.stringify(segment)}]`;
    else text += text === "" ? segment : `.${segment}`;
  }
  return text;
}

/** A string in JSON quotes, cut after 60 characters. */
export function quote(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}...` : text);
}

/** What stands in the document, for the end of a message. */
export function describe(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "an array";
  if (value instanceof WrittenNumber) return value.text;
  if (typeof value === "string") return quote(value);
  return typeof value === "object" ? "an object" : String(value);
}

const NOUNS: Readonly<Record<string, string>> = {
  string: "a string",
  boolean: "true or false",
  array: "an array",
  object: "an object",
  record: "an object",
};

function wordIssue(issue: RawIssue): string {
  if (issue.input === undefined && issue.code !== "custom") return "is required";
  switch (issue.code) {
    case "invalid_type":
      return `must be ${NOUNS[String(issue.expected)] ?? String(issue.expected)}, not ${describe(issue.input)}`;
    case "invalid_value":
      return `must be one of ${(issue.values ?? []).join(", ")}, not ${describe(issue.input)}`;
    default:
      return typeof issue.message === "string" ? issue.message : `is invalid: ${describe(issue.input)}`;
  }
}

/** Segments of an issue's path. */
export function segmentsOf(issue: RawIssue): Segments {
  return (issue.path ?? []).map((key) => (typeof key === "symbol" ? String(key) : key));
}

export function toProblem(issue: RawIssue): Problem {
  return { path: formatPath(segmentsOf(issue)), message: wordIssue(issue) };
}
