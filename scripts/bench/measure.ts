// Measures everything, in an order in which nothing disturbs anything else.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Bundle } from "./bundles.ts";
import { type Growth, measureGrowth } from "./crowd.ts";
import { describeMachine, readLoad } from "./machine.ts";
import { dropCached, measurePeak, measureWaiting } from "./memory.ts";
import type { Moment, Results } from "./results.ts";
import { type MakeTimed, ROWS, TIMED_ROWS, writeScript } from "./rows.ts";
import { type Runtime, runCommand } from "./runtimes.ts";
import { timeRounds } from "./time.ts";

export interface BenchOptions {
  readonly folder: string;
  readonly runtimes: readonly [Runtime, ...Runtime[]];
  readonly bundles: readonly Bundle[];
  readonly rounds: number;
  /** Runs in each round. */
  readonly runs: number;
  /** Numbers of containers alive. */
  readonly crowds: readonly number[];
  readonly crowdRounds: number;
  /** Says what is being done. */
  readonly tell: (text: string) => void;
}

export async function measureAll(options: BenchOptions): Promise<Results> {
  const { folder, runtimes, bundles, rounds, runs, tell } = options;
  const load = readLoad();
  const make = writeScript(folder);
  tell(`timing ${runtimes.map(({ label }) => label).join(", ")}`);
  const costs = timeRounds(folder, listCommands(options, make), { rounds, runs });
  removeAll(runtimes);
  tell("memory");
  for (const runtime of runtimes) dropCached(runtime);
  const peaks = new Map<string, number>();
  const waiting = new Map<string, { rss: number; pss: number }>();
  for (const bundle of bundles)
    for (const runtime of runtimes) {
      for (const row of ROWS)
        peaks.set(nameOf(bundle.name, row, runtime), measurePeak(folder, make(row, runtime, bundle)));
      removeAll([runtime]);
      waiting.set(nameOf(bundle.name, "create", runtime), measureWaiting(runtime, bundle));
    }
  const growth = await measureCrowds(options, make);
  const moments = bundles.map((bundle) => ({ bundle, moments: readMoments(options, bundle) }));
  return {
    machine: describeMachine(runtimes),
    load,
    runs: rounds * runs,
    runtimes,
    bundles,
    cost: (bundle, row, runtime) => get(costs, nameOf(bundle, row, runtime)),
    peak: (bundle, row, runtime) => get(peaks, nameOf(bundle, row, runtime)),
    waiting: (bundle, runtime) => get(waiting, nameOf(bundle, "create", runtime)),
    growth,
    moments,
  };
}

function nameOf(bundle: string, row: string, runtime: Runtime): string {
  return `${bundle}, ${row}, ${runtime.root}`;
}

function get<T>(values: ReadonlyMap<string, T>, name: string): T {
  const value = values.get(name);
  if (value === undefined) throw new Error(`${name} was not measured`);
  return value;
}

function listCommands(
  { runtimes, bundles }: BenchOptions,
  make: MakeTimed,
): Map<string, ReturnType<MakeTimed>> {
  return new Map(
    bundles.flatMap((bundle) =>
      TIMED_ROWS.flatMap((row) =>
        runtimes.map((runtime) => [nameOf(bundle.name, row, runtime), make(row, runtime, bundle)] as const),
      ),
    ),
  );
}

async function measureCrowds(options: BenchOptions, make: MakeTimed): Promise<ReadonlyMap<Runtime, Growth>> {
  const { folder, runtimes, bundles, runs, crowds: sizes, crowdRounds, tell } = options;
  const [bundle] = bundles;
  const growth = new Map<Runtime, Growth>();
  if (bundle === undefined) return growth;
  for (const runtime of runtimes) {
    tell(`${runtime.label}: up to ${Math.max(...sizes)} containers alive`);
    const how = { folder, bundle, make, sizes, rounds: crowdRounds, runs };
    growth.set(runtime, await measureGrowth(runtime, how));
    removeAll([runtime]);
  }
  return growth;
}

/** What `tsrunc --debug run` says of itself. */
function readMoments({ folder, runtimes: [own] }: BenchOptions, bundle: Bundle): Moment[] {
  const log = join(folder, `${bundle.name}.log`);
  runCommand(own, "--debug", "--log", log, "--log-format", "json", "run", "--bundle", bundle.short, own.id);
  return readFileSync(log, "utf8")
    .trim()
    .split("\n")
    .map((line) => {
      const { msg, ms } = JSON.parse(line) as { msg: string; ms: number };
      return { text: msg, ms };
    });
}

/** Deletes every container that the bench has made. */
export function removeAll(runtimes: readonly Runtime[]): void {
  for (const runtime of runtimes)
    for (const id of listContainers(runtime)) runCommand(runtime, "delete", "--force", id);
}

function listContainers({ root, id }: Runtime): string[] {
  try {
    return readdirSync(root, { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && entry.name.startsWith(id))
      .map(({ name }) => name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    return [];
  }
}
