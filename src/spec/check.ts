// Runs tables of rules over a config. A row names the place that it looks at; a place where the schema has found
// a problem already is skipped, so that all problems of a file are told at once, and each only once.
import type { Problem } from "../errors.ts";
import type { Config } from "./config-schema.ts";
import { formatPath, type Segments } from "./problems.ts";

/** What a rule finds: a message about the place itself, or about a place below it. */
export type Finding = string | { readonly at: Segments; readonly message: string };
export type Findings = Finding | readonly Finding[] | undefined;

export interface Rule {
  /** `mounts.*.options.*`: member names, `*` for all elements or members; empty for the whole config. */
  readonly at: string;
  readonly check: (value: unknown, config: Config, segments: Segments) => Findings;
  /** Where the rule comes from. */
  readonly source: string;
  /**
   * Other places that `check` reads (without `*`). If one of them lies below `at`, they are all that it reads of
   * the value, and a problem elsewhere below `at` does not matter to the row.
   */
  readonly reads: readonly string[];
}

type Step<T, K extends string> = K extends "*"
  ? T extends readonly (infer E)[]
    ? E
    : NonNullable<T[keyof T]>
  : K extends keyof T
    ? NonNullable<T[K]>
    : never;

/** Type of what stands at a place; never if there is no such place. */
export type At<T, P extends string> = P extends ""
  ? T
  : P extends `${infer Head}.${infer Rest}`
    ? At<Step<T, Head>, Rest>
    : Step<T, P>;

/** One row. `check` gets the value at `at`; absent places are not visited. */
export function rule<const P extends string>(
  at: P,
  source: string,
  check: (value: At<Config, P>, config: Config, segments: Segments) => Findings,
  reads: readonly string[] = [],
): Rule {
  return { at, source, check: check as Rule["check"], reads };
}

/** `segments` is only valid during the call: copy it to keep it. */
type Visit = (value: unknown, segments: Segments) => void;

function visitPlaces(
  value: unknown,
  steps: readonly string[],
  path: (string | number)[],
  visit: Visit,
): void {
  if (value === undefined) return;
  const step = steps[path.length];
  if (step === undefined) {
    visit(value, path);
    return;
  }
  if (typeof value !== "object" || value === null) return;
  const isArray = Array.isArray(value);
  for (const key of step === "*" ? Object.keys(value) : [step]) {
    path.push(isArray ? Number(key) : key);
    visitPlaces((value as Record<string, unknown>)[key], steps, path, visit);
    path.pop();
  }
}

function overlap(a: Segments, b: Segments): boolean {
  for (let i = 0; i < a.length && i < b.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** Calls `visit` for every value at `at` (see {@link Rule}). */
export function visitAt(value: unknown, at: string, visit: Visit): void {
  visitPlaces(value, at === "" ? [] : at.split("."), [], visit);
}

/** A place and the message about it. */
export interface Found {
  readonly segments: Segments;
  readonly message: string;
}

/**
 * Applies the rows that look below `under` (all for ""), except where `broken` lists a place that the schema has
 * refused.
 */
export function applyRules(
  rules: readonly Rule[],
  config: Config,
  under: string,
  broken: readonly Segments[],
): Found[] {
  const found: Found[] = [];
  for (const row of rules) {
    if (under !== "" && row.at !== under && !row.at.startsWith(`${under}.`)) continue;
    const readsBroken = row.reads.some((place) => broken.some((b) => overlap(place.split("."), b)));
    if (readsBroken) continue;
    const isShallow =
      broken.length > 0 && row.reads.some((place) => row.at === "" || place.startsWith(`${row.at}.`));
    visitAt(config, row.at, (value, segments) => {
      const isBroken = (b: Segments) =>
        (isShallow ? b.length <= segments.length : true) && overlap(segments, b);
      if (broken.some(isBroken)) return;
      const findings = row.check(value, config, segments) ?? [];
      for (const finding of Array.isArray(findings) ? findings : [findings]) {
        if (typeof finding === "string") found.push({ segments: [...segments], message: finding });
        else found.push({ segments: [...segments, ...finding.at], message: finding.message });
      }
    });
  }
  return found;
}

/** Problems of what was found, with paths that leave out the first `skip` segments. */
export function toProblems(found: readonly Found[], skip: number): Problem[] {
  return found.map(({ segments, message }) => ({ path: formatPath(segments.slice(skip)), message }));
}
