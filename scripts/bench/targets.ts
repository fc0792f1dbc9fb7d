// What tsrunc shall reach, as data.
import type { Results } from "./results.ts";
import { ROWS, type Row } from "./rows.ts";

/** Wall time of tsrunc divided by a peer's, at most. */
const RATIOS: readonly { readonly row: Row; readonly peer: "runc" | "crun"; readonly limit: number }[] = [
  { row: "run", peer: "runc", limit: 0.6 },
  { row: "run", peer: "crun", limit: 1.7 },
  { row: "cycle", peer: "runc", limit: 0.85 },
  { row: "cycle", peer: "crun", limit: 1.8 },
  { row: "exec", peer: "runc", limit: 0.6 },
  { row: "exec", peer: "crun", limit: 1.8 },
  { row: "state", peer: "runc", limit: 1.6 },
  { row: "start", peer: "runc", limit: 1.6 },
  { row: "kill", peer: "runc", limit: 1.6 },
  { row: "delete", peer: "runc", limit: 1.6 },
];
/** The bundles that these hold for. */
const BUNDLES = ["minimal", "docker"];
/** Wall time of any command among 1,000 containers divided by that with one. */
const GROWTH_LIMIT = 1.2;
const CREATE_PEAK_KB = 45 * 1024;
const WAITING_PSS_KB = 200;

export interface Verdict {
  readonly target: string;
  readonly limit: string;
  readonly reached: string;
  readonly isMet: boolean;
}

/** One verdict for each target that this run can tell of: a peer may be absent. */
export function judge(results: Results): Verdict[] {
  return [...judgeRatios(results), ...judgeGrowth(results), ...judgeMemory(results)];
}

function judgeRatios({ runtimes, cost }: Results): Verdict[] {
  const [own] = runtimes;
  return BUNDLES.flatMap((bundle) =>
    RATIOS.flatMap(({ row, peer, limit }) => {
      const other = runtimes.find(({ role }) => role === peer);
      if (own === undefined || other === undefined) return [];
      const ratio = cost(bundle, row, own).wall / cost(bundle, row, other).wall;
      const target = `\`${row}\` to ${other.label}, ${bundle}`;
      return [{ target, limit: `≤ ${limit}`, reached: ratio.toFixed(2), isMet: ratio <= limit }];
    }),
  );
}

function judgeGrowth({ growth, runtimes: [own] }: Results): Verdict[] {
  const sizes = (own && growth.get(own)) ?? new Map<number, never>();
  const [least, most] = [Math.min(...sizes.keys()), Math.max(...sizes.keys())];
  const [first, last] = [sizes.get(least), sizes.get(most)];
  if (first === undefined || last === undefined) return [];
  return ROWS.map((row) => {
    const ratio = (last.get(row)?.wall ?? Number.NaN) / (first.get(row)?.wall ?? Number.NaN);
    return {
      target: `\`${row}\` with ${most} alive to ${least}`,
      limit: `≤ ${GROWTH_LIMIT}`,
      reached: ratio.toFixed(2),
      isMet: ratio <= GROWTH_LIMIT,
    };
  });
}

function judgeMemory({ runtimes: [own], peak, waiting }: Results): Verdict[] {
  if (own === undefined) return [];
  return BUNDLES.flatMap((bundle) => {
    const create = peak(bundle, "create", own);
    const { pss } = waiting(bundle, own);
    return [
      {
        target: `peak memory of \`create\`, ${bundle}`,
        limit: `≤ ${CREATE_PEAK_KB / 1024} MB`,
        reached: `${(create / 1024).toFixed(1)} MB`,
        isMet: create <= CREATE_PEAK_KB,
      },
      {
        target: `waiting container (PSS), ${bundle}`,
        limit: `≤ ${WAITING_PSS_KB} kB`,
        reached: `${pss} kB`,
        isMet: pss <= WAITING_PSS_KB,
      },
    ];
  });
}
