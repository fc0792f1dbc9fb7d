// What config.json can ask for and this release cannot do yet. Nothing is ignored silently: a row makes a config
// that asks for it fail. Whoever implements a member deletes its row.
import type { Problem } from "../errors.ts";
import { visitAt } from "./check.ts";
import type { Config } from "./config-schema.ts";
import { formatPath, type Segments } from "./problems.ts";

interface Row {
  /** As in check.ts: `*` stands for all elements or members. */
  readonly at: string;
  /** Whether a value asks for nothing. Absent: every value does ask. */
  readonly asksNothing?: (value: unknown) => boolean;
}

export const UNSUPPORTED: readonly Row[] = [{ at: "linux.intelRdt" }];

/**
 * As {@link unsupportedProblems}, leaving out places below `broken` ones, and the first `skip` segments of paths.
 */
export function findUnsupported(config: Config, broken: readonly Segments[], skip: number): Problem[] {
  const problems: Problem[] = [];
  for (const row of UNSUPPORTED) {
    visitAt(config, row.at, (value, segments) => {
      const isBroken = broken.some((place) => place.every((segment, i) => segments[i] === segment));
      if (isBroken || row.asksNothing?.(value)) return;
      // The path stands in the message, in the words that users and tests look for.
      problems.push({ path: "", message: `not supported yet: ${formatPath(segments.slice(skip))}` });
    });
  }
  return problems;
}

/** What a config asks for that this release cannot do, as `not supported yet: PATH`. */
export function unsupportedProblems(config: Config): Problem[] {
  return findUnsupported(config, [], 0);
}
