// Runs a document's zod schema and words the issues. Loaded only when a compiled checker says no (src/spec/config.ts).
import type * as z from "zod/mini";
import type { Found } from "./check.ts";
import { configSchema } from "./config-schema.ts";
import { describe, type Segments } from "./problems.ts";
import { processSchema } from "./process.ts";
import { resourcesSchema } from "./resources.ts";
import { RUN } from "./scalars.ts";

/** What is read: config.json, the file of `exec --process`, that of `update --resources`. */
export type DocumentKind = "config" | "process" | "resources";

/** The schema of each kind. */
export const SCHEMAS: Readonly<Record<DocumentKind, () => z.core.$ZodType>> = {
  config: () => configSchema,
  process: () => processSchema,
  resources: resourcesSchema,
};

export interface SchemaResult {
  /** Usable only without issues. */
  readonly value: unknown;
  readonly issues: readonly Found[];
}

/** The part of zod's raw issues that is worded here. zod's own texts are never shown. */
interface RawIssue {
  readonly code?: string | undefined;
  readonly path?: readonly PropertyKey[] | undefined;
  readonly input?: unknown;
  readonly expected?: unknown;
  readonly values?: readonly unknown[];
  readonly message?: unknown;
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

function segmentsOf(issue: RawIssue): Segments {
  return (issue.path ?? []).map((key) => (typeof key === "symbol" ? String(key) : key));
}

/**
 * Runs the schema of a kind of document over parsed JSON.
 * @throws RangeError if there are too many issues for the stack
 */
export function runSchema(kind: DocumentKind, document: unknown): SchemaResult {
  const parsed = SCHEMAS[kind]()._zod.run({ value: document, issues: [] }, RUN);
  if (parsed instanceof Promise) throw new TypeError("the schema is asynchronous");
  const issues = (parsed.issues as readonly RawIssue[]).map((issue) => ({
    segments: segmentsOf(issue),
    message: wordIssue(issue),
  }));
  return { value: parsed.value, issues };
}
