// Starts programs so that what they wrote is told when they fail.
import { execFileSync } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { messageOf } from "../../src/errors.ts";
import type { Timed } from "./rows.ts";
import { env } from "./runtimes.ts";

/** Runs a program to its end. Throws with what it wrote if it fails. */
export function runLogged(folder: string, words: readonly string[]): void {
  const [command = "", ...args] = words;
  const log = join(folder, "log");
  // A file: a container that outlives `create` would hold a pipe open.
  const output = openSync(log, "w");
  try {
    execFileSync(command, args, { env, stdio: ["ignore", output, output] });
  } catch (error) {
    throw new Error(`${messageOf(error)}\n${readFileSync(log, "utf8")}`);
  } finally {
    closeSync(output);
  }
}

/**
 * Debian's crun fails once in some hundred runs on a busy machine, which must not end a bench of ten minutes: a peer is
 * asked again, and its failure told; tsrunc is not. Throws the last error.
 */
export function attempt<T>({ attempts, command }: Timed, measure: () => T): T {
  for (let left = attempts - 1; ; left -= 1)
    try {
      return measure();
    } catch (error) {
      if (left <= 0) throw error;
      process.stderr.write(`${command}: once more after: ${messageOf(error)}\n`);
    }
}
