// What is timed: one command, and what must be there before each run of it.
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Bundle } from "./bundles.ts";
import type { Runtime } from "./runtimes.ts";

/** A command to time. Words hold no blanks: hyperfine splits at them and starts no shell. */
export interface Timed {
  /** Before each run, untimed. */
  readonly prepare?: string;
  readonly command: string;
  /** How often it may be measured until nothing fails. */
  readonly attempts: number;
}

export const ROWS = ["run", "create", "start", "state", "kill", "delete", "exec", "cycle"] as const;
export type Row = (typeof ROWS)[number];

export const EIGHT = "8 × run at once";
/** What is timed on each bundle. */
export const TIMED_ROWS = [...ROWS, EIGHT] as const;
export type TimedRow = (typeof TIMED_ROWS)[number];

/**
 * One script for all that is not a single command. Its first words: what to do, runtime, state directory, container,
 * bundle.
 */
const SCRIPT = `#!/bin/sh
set -e
what=$1 runtime=$2 root=$3 id=$4 bundle=$5
call() { "$runtime" --root "$root" "$@"; }
wait_end() {
  pid=$(cat "$1")
  while read -r _ _ state _ <"/proc/$pid/stat" && [ "$state" != Z ]; do sleep 0.005; done 2>/dev/null
}
case $what in
absent) call delete --force "$id" || true ;;
created) call delete --force "$id" || true; call create --bundle "$bundle" "$id" ;;
running) call delete --force "$id" || true; call create --bundle "$bundle" "$id"; call start "$id" ;;
stopped)
  call delete --force "$id" || true
  call create --pid-file "$root.pid" --bundle "$bundle" "$id"
  call start "$id"
  wait_end "$root.pid"
  ;;
cycle)
  call create --bundle "$bundle" "$id"
  call start "$id"
  call delete --force "$id"
  ;;
eight)
  for i in 1 2 3 4 5 6 7 8; do call run --bundle "$bundle" "$id-$i" & done
  wait
  ;;
esac
`;

export type MakeTimed = (row: TimedRow, runtime: Runtime, bundle: Bundle) => Timed;

/** Writes the script; gives what makes commands. */
export function writeScript(folder: string): MakeTimed {
  const script = join(folder, "bench.sh");
  writeFileSync(script, SCRIPT);
  chmodSync(script, 0o755);
  const makeRow = (row: TimedRow, runtime: Runtime, bundle: Bundle): Omit<Timed, "attempts"> => {
    const { id } = runtime;
    const perform = (what: string, directory: string): string =>
      `${script} ${what} ${runtime.path} ${runtime.root} ${id} ${directory}`;
    const call = (...words: string[]): string => [runtime.path, "--root", runtime.root, ...words].join(" ");
    switch (row) {
      case "run":
        return {
          prepare: perform("absent", bundle.short),
          command: call("run", "--bundle", bundle.short, id),
        };
      case "create":
        return {
          prepare: perform("absent", bundle.long),
          command: call("create", "--bundle", bundle.long, id),
        };
      case "start":
        return { prepare: perform("created", bundle.long), command: call("start", id) };
      case "state":
        return { prepare: perform("running", bundle.long), command: call("state", id) };
      case "kill":
        return { prepare: perform("running", bundle.long), command: call("kill", id, "KILL") };
      case "delete":
        return { prepare: perform("stopped", bundle.short), command: call("delete", id) };
      case "exec":
        return { prepare: perform("running", bundle.long), command: call("exec", id, "/bin/true") };
      case "cycle":
        return { prepare: perform("absent", bundle.short), command: perform("cycle", bundle.short) };
      case EIGHT:
        return { command: perform("eight", bundle.short) };
    }
  };
  return (row, runtime, bundle) => ({
    ...makeRow(row, runtime, bundle),
    attempts: runtime.role === "tsrunc" ? 1 : 3,
  });
}
