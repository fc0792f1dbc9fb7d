// Times commands with hyperfine, in rounds that go through all of them, so that what disturbs the machine for a
// while disturbs them alike.
import { execFileSync } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { messageOf } from "../../src/errors.ts";
import type { Timed } from "./rows.ts";
import { env } from "./runtimes.ts";

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
export function timeCommand(folder: string, { prepare, command }: Timed, runs: number): Sample {
  const [file, log] = [join(folder, "times.json"), join(folder, "log")];
  const before = prepare === undefined ? [] : ["--prepare", prepare];
  const options = ["-N", "--show-output", "--warmup=1", `--runs=${runs}`];
  // A file: a container that outlives `create` would hold a pipe open.
  const output = openSync(log, "w");
  try {
    execFileSync("hyperfine", [...options, `--export-json=${file}`, ...before, command], {
      env,
      stdio: ["ignore", output, output],
    });
  } catch (error) {
    throw new Error(`${command}: ${messageOf(error)}\n${readFileSync(log, "utf8")}`);
  } finally {
    closeSync(output);
  }
  const [result] = (JSON.parse(readFileSync(file, "utf8")) as { results: HyperfineResult[] }).results;
  if (result === undefined) throw new Error(`${command}: hyperfine has measured nothing`);
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
