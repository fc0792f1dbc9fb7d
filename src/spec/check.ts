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
  /** `at` in parts. */
  readonly steps: readonly string[];
  readonly check: (value: unknown, config: Config) => Findings;
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
  check: (value: At<Config, P>, config: Config) => Findings,
  reads: readonly string[] = [],
): Rule {
  return { at, steps: at === "" ? [] : at.split("."), source, check: check as Rule["check"], reads };
}

function overlap(a: Segments, b: Segments): boolean {
  for (let i = 0; i < a.length && i < b.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** A place and the message about it. */
export interface Found {
  readonly segments: Segments;
  readonly message: string;
}

/** One application of a table, for the functions below. */
interface Run {
  readonly config: Config;
  readonly broken: readonly Segments[];
  readonly found: Found[];
}

/**
 * Applies the rows that look below `under` (all for ""), except where `broken` lists a place that the schema has
 * refused. Every command that reads a config does this once, in the engine's interpreter: what most configs need are
 * plain loops, and paths are made only for what is found.
 */
export function applyRules(
  rules: readonly Rule[],
  config: Config,
  under: string,
  broken: readonly Segments[],
): Found[] {
  const run: Run = { config, broken, found: [] };
  for (const row of rules) {
    if (under !== "" && row.at !== under && !row.at.startsWith(`${under}.`)) continue;
    if (broken.length > 0 && readsBroken(row, broken)) continue;
    visitPlaces(row, config, 0, [], run);
  }
  return run.found;
}

function readsBroken({ reads }: Rule, broken: readonly Segments[]): boolean {
  return reads.some((place) => broken.some((b) => overlap(place.split("."), b)));
}

/** Checks every place of a row below `value`, which stands after `depth` steps; `keys` are those of the `*` so far. */
function visitPlaces(row: Rule, value: unknown, depth: number, keys: Segments, run: Run): void {
  const { steps } = row;
  let place = value;
  for (let i = depth; i < steps.length; i++) {
    if (typeof place !== "object" || place === null) return;
    const step = steps[i] ?? "";
    if (step !== "*") {
      place = (place as Record<string, unknown>)[step];
    } else if (Array.isArray(place)) {
      for (let index = 0; index < place.length; index++)
        visitPlaces(row, place[index], i + 1, [...keys, index], run);
      return;
    } else {
      for (const key of Object.keys(place))
        visitPlaces(row, (place as Record<string, unknown>)[key], i + 1, [...keys, key], run);
      return;
    }
  }
  if (place !== undefined) checkPlace(row, place, keys, run);
}

function checkPlace(row: Rule, value: unknown, keys: Segments, { config, broken, found }: Run): void {
  if (broken.length > 0 && isBroken(row, segmentsOf(row, keys), broken)) return;
  const findings = row.check(value, config);
  if (findings === undefined) return;
  for (const finding of Array.isArray(findings) ? findings : [findings]) {
    const segments = segmentsOf(row, keys);
    if (typeof finding === "string") found.push({ segments, message: finding });
    else found.push({ segments: [...segments, ...finding.at], message: finding.message });
  }
}

function isBroken(row: Rule, segments: Segments, broken: readonly Segments[]): boolean {
  const isShallow = row.reads.some((place) => row.at === "" || place.startsWith(`${row.at}.`));
  return broken.some((b) => (isShallow ? b.length <= segments.length : true) && overlap(segments, b));
}

/** The steps of a row with keys in place of its `*`. */
function segmentsOf({ steps }: Rule, keys: Segments): Segments {
  let star = 0;
  return steps.map((step) => (step === "*" ? (keys[star++] ?? "") : step));
}

/** Problems of what was found, with paths that leave out the first `skip` segments. */
export function toProblems(found: readonly Found[], skip: number): Problem[] {
  return found.map(({ segments, message }) => ({ path: formatPath(segments.slice(skip)), message }));
}
