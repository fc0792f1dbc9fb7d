// Commands among many containers that wait for `start`.
import { spawn } from "node:child_process";
import { once } from "node:events";
import type { Bundle } from "./bundles.ts";
import { type MakeTimed, ROWS, type Row } from "./rows.ts";
import { env, type Runtime } from "./runtimes.ts";
import { type Cost, timeRounds } from "./time.ts";

/** Wall times by row, for each number of containers alive. */
export type Growth = ReadonlyMap<number, ReadonlyMap<Row, Cost>>;

export interface CrowdOptions {
  readonly folder: string;
  readonly bundle: Bundle;
  readonly make: MakeTimed;
  /** Numbers of containers alive, ascending. */
  readonly sizes: readonly number[];
  readonly rounds: number;
  readonly runs: number;
}

/** Measures one runtime: the crowd grows, is measured at each size, and is deleted. */
export async function measureGrowth(runtime: Runtime, options: CrowdOptions): Promise<Growth> {
  const { folder, bundle, make, sizes, rounds, runs } = options;
  const growth = new Map<number, ReadonlyMap<Row, Cost>>();
  const name = (i: number): string => `${runtime.id}-crowd-${i}`;
  let alive = 0;
  try {
    for (const size of sizes) {
      const from = alive;
      alive = size;
      await runMany(runtime, size - from, (i) => ["create", "--bundle", bundle.long, name(from + i)]);
      const commands = new Map(ROWS.map((row) => [row, make(row, runtime, bundle)]));
      growth.set(size, timeRounds(folder, commands, { rounds, runs }) as ReadonlyMap<Row, Cost>);
    }
  } finally {
    // Also those of a round that failed half-way: --force says nothing of a container that is not there.
    await runMany(runtime, alive, (i) => ["delete", "--force", name(i)]);
  }
  return growth;
}

/** Runs a command for each of `count` containers, two at a time. Throws at the first that fails. */
async function runMany(
  runtime: Runtime,
  count: number,
  args: (index: number) => readonly string[],
): Promise<void> {
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < count) {
      const words = ["--root", runtime.root, ...args(next)];
      next += 1;
      const child = spawn(runtime.path, words, { env, stdio: "ignore" });
      const [status] = await once(child, "exit");
      if (status !== 0) throw new Error(`${runtime.label} ${words.join(" ")}: status ${status}`);
    }
  };
  await Promise.all([work(), work()]);
}
