// Runs the host's ps(1).
import { spawnSync } from "node:child_process";
import type { Context } from "../context.ts";
import { TsruncError } from "../errors.ts";

/** More than any host's table of processes. */
const MOST_BYTES = 256 * 1024 * 1024;

/** The output of `ps ARGS`, found in the caller's PATH. Throws TsruncError with what it said if it fails. */
export function runPs(ctx: Pick<Context, "cwd" | "env">, args: readonly string[]): string {
  const { cwd, env } = ctx;
  const result = spawnSync("ps", args, {
    cwd,
    env,
    maxBuffer: MOST_BYTES,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const call = ["ps", ...args].join(" ");
  if (result.error) throw new TsruncError(`${call}: ${describe(result.error)}`);
  if (result.status === 0) return result.stdout.toString();
  const end = result.status === null ? `killed by ${result.signal}` : `exit status ${result.status}`;
  throw new TsruncError(`${call}: ${end}: ${result.stderr.toString().trim()}`);
}

function describe(error: NodeJS.ErrnoException): string {
  return error.code === "ENOENT" ? "executable file not found in $PATH" : error.message;
}
