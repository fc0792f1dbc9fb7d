// The recorded budget and what differs from it.

/** Counts of one thing by name. */
export type Counts = Readonly<Record<string, number>>;

/** budget.json: by kind of host, then by command. */
export type Budget = Readonly<Record<string, Readonly<Record<string, Counts>>>>;

const TOLERANCE = 0.05;

export interface Difference {
  /** One line for each count that exceeds its budget, or has none. */
  readonly above: readonly string[];
  /** One line for each count that is so far below its budget that it should be recorded anew. */
  readonly below: readonly string[];
}

export function compareCounts(
  recorded: Readonly<Record<string, Counts>>,
  rows: Readonly<Record<string, Counts>>,
): Difference {
  const above: string[] = [];
  const below: string[] = [];
  for (const [row, counts] of Object.entries(rows))
    for (const [name, count] of Object.entries(counts)) {
      const limit = recorded[row]?.[name];
      if (limit === undefined) {
        above.push(`${row}: ${name}: ${count}, nothing recorded`);
        continue;
      }
      const change = count - limit;
      const percent = limit === 0 ? "" : `, ${change > 0 ? "+" : ""}${((100 * change) / limit).toFixed(1)} %`;
      const line = `${row}: ${name}: ${count}, recorded ${limit} (${change > 0 ? "+" : ""}${change}${percent})`;
      if (count > limit * (1 + TOLERANCE)) above.push(line);
      else if (count < limit * (1 - TOLERANCE)) below.push(line);
    }
  return { above, below };
}
