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
  /** Other places that `check` reads (without `*`). */
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

type Visit = (value: unknown, segments: Segments) => void;

function visitPlaces(value: unknown, steps: readonly string[], walked: Segments, visit: Visit): void {
  const [step, ...rest] = steps;
  if (value === undefined) return;
  if (step === undefined) return visit(value, walked);
  if (typeof value !== "object" || value === null) return;
  if (step !== "*") {
    visitPlaces((value as Record<string, unknown>)[step], rest, [...walked, step], visit);
  } else if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) visitPlaces(item, rest, [...walked, index], visit);
  } else {
    for (const [key, item] of Object.entries(value)) visitPlaces(item, rest, [...walked, key], visit);
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
    visitAt(config, row.at, (value, segments) => {
      if (broken.some((b) => overlap(segments, b))) return;
      const findings = row.check(value, config, segments) ?? [];
      for (const finding of Array.isArray(findings) ? findings : [findings]) {
        if (typeof finding === "string") found.push({ segments, message: finding });
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
