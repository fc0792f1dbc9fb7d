// Memory: the peak of each command, and what a container that waits for `start` keeps.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Bundle } from "./bundles.ts";
import type { Timed } from "./rows.ts";
import { attempt, runLogged } from "./run-logged.ts";
import { type Runtime, runCommand } from "./runtimes.ts";

/**
 * Takes an executable out of the page cache, so that it is read as after a boot. As it was written, it lies there in
 * large pieces, of which each fault makes more resident: 5 MB of tsrunc's 113.
 */
export function dropCached({ path }: Runtime): void {
  execFileSync("sync", [path]);
  execFileSync("dd", [`if=${path}`, "of=/dev/null", "iflag=nocache", "count=0", "status=none"]);
}

/**
 * Peak resident memory of a command and of what it waited for, in kB: the largest of three runs. GNU time starts it
 * from a small process: the figure includes the memory of whoever forked (getrusage(2), ru_maxrss).
 */
export function measurePeak(folder: string, timed: Timed): number {
  const file = join(folder, "peak");
  const measureOnce = (): number => {
    if (timed.prepare !== undefined) runLogged(folder, timed.prepare.split(" "));
    const words = ["/usr/bin/time", "--format=%M", `--output=${file}`, ...timed.command.split(" ")];
    runLogged(folder, words);
    return Number(readFileSync(file, "utf8"));
  };
  return Math.max(...[1, 2, 3].map(() => attempt(timed, measureOnce)));
}

/** Resident memory of the process that waits for `start`, and its share of it (PSS), in kB. */
export function measureWaiting(runtime: Runtime, bundle: Bundle): { rss: number; pss: number } {
  const { id } = runtime;
  runCommand(runtime, "create", "--bundle", bundle.long, id);
  try {
    const { pid } = JSON.parse(runCommand(runtime, "state", id)) as { pid: number };
    const text = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
    const read = (name: string): number => Number(new RegExp(`^${name}: +(\\d+)`, "m").exec(text)?.[1]);
    return { rss: read("Rss"), pss: read("Pss") };
  } finally {
    runCommand(runtime, "delete", "--force", id);
  }
}
