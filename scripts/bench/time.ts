// Times commands with hyperfine, in rounds that go through all of them, so that what disturbs the machine for a
// while disturbs them alike.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Timed } from "./rows.ts";
import { attempt, runLogged } from "./run-logged.ts";

export interface Sample {
  /** Wall time of each run, in milliseconds. */
  readonly wall: readonly number[];
  /** Mean of user and system time of a run, with that of processes waited for, in milliseconds. */
  readonly cpu: number;
}

export interface Cost {
  /** Median of all runs, in milliseconds. */
  readonly wall: number;
  /** Median over the rounds, in milliseconds. */
  readonly cpu: number;
}

/** Times one command. Throws with what it wrote if a run, or what prepares it, fails. */
export function timeCommand(folder: string, timed: Timed, runs: number): Sample {
  const file = join(folder, "times.json");
  const before = timed.prepare === undefined ? [] : ["--prepare", timed.prepare];
  const options = ["-N", "--show-output", "--warmup=1", `--runs=${runs}`, `--export-json=${file}`];
  attempt(timed, () => runLogged(folder, ["hyperfine", ...options, ...before, timed.command]));
  const [result] = (JSON.parse(readFileSync(file, "utf8")) as { results: HyperfineResult[] }).results;
  if (result === undefined) throw new Error(`${timed.command}: hyperfine has measured nothing`);
  return { wall: result.times.map((time) => 1000 * time), cpu: 1000 * (result.user + result.system) };
}

interface HyperfineResult {
  readonly times: readonly number[];
  readonly user: number;
  readonly system: number;
}

/** Times commands by name in rounds; every other round goes through them backwards. */
export function timeRounds(
  folder: string,
  commands: ReadonlyMap<string, Timed>,
  { rounds, runs }: { readonly rounds: number; readonly runs: number },
): ReadonlyMap<string, Cost> {
  const samples = new Map<string, Sample[]>();
  for (let round = 0; round < rounds; round += 1) {
    const order = [...commands];
    if (round % 2 === 1) order.reverse();
    for (const [name, timed] of order)
      samples.set(name, [...(samples.get(name) ?? []), timeCommand(folder, timed, runs)]);
  }
  return new Map(
    [...samples].map(([name, all]) => [
      name,
      { wall: median(all.flatMap(({ wall }) => wall)), cpu: median(all.map(({ cpu }) => cpu)) },
    ]),
  );
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  return ((sorted[Math.ceil(middle) - 1] ?? Number.NaN) + (sorted[Math.floor(middle)] ?? Number.NaN)) / 2;
}
