// What a command writes to its log.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Bundle, Result, Sandbox } from "./harness.ts";

export interface LogEntry {
  readonly level: string;
  readonly msg: string;
  readonly time: string;
}

/** The entries of a JSON log; throws if a line is none. */
export const readLog = (path: string): readonly LogEntry[] =>
  readFileSync(path, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as LogEntry);

/** Runs a container of the bundle with a JSON log. */
export async function runLogged(
  box: Sandbox,
  bundle: Bundle,
): Promise<Result & { readonly log: readonly LogEntry[] }> {
  const id = box.id();
  const path = join(box.directory, `${id}.log`);
  const flags = ["--log", path, "--log-format", "json"];
  const result = await box.run([...flags, "run", "--bundle", bundle.directory, id]);
  return { ...result, log: readLog(path) };
}
