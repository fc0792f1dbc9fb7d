// Runs one command to its end, with its output in files.
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export interface Result {
  readonly status: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  cwd?: string;
  env?: Record<string, string>;
  stdin?: string;
  /** Words put before the command: `nice -n 5`, `sh -c '... exec "$@"' sh`. */
  prefix?: readonly string[];
  /** Milliseconds until the command is killed and the test fails. Default 20,000. */
  timeout?: number;
}

export interface Started {
  readonly child: ChildProcess;
  readonly result: Promise<Result>;
  /** What was written so far: a container that outlives `create` goes on writing into the same files. */
  readonly stdout: () => string;
  readonly stderr: () => string;
}

let outputCount = 0;

/** Starts a command with its output in files, so that a container which keeps them open blocks nobody. */
export function startCommand(directory: string, words: readonly string[], options: RunOptions = {}): Started {
  const [command, ...args] = [...(options.prefix ?? []), ...words];
  if (command === undefined) throw new Error("no command");
  outputCount += 1;
  const files = ["in", "out", "err"].map((name) => join(directory, `${outputCount}.${name}`));
  const [inFile, outFile, errFile] = files as [string, string, string];
  if (options.stdin !== undefined) writeFileSync(inFile, options.stdin);
  const fds = [
    openSync(options.stdin === undefined ? "/dev/null" : inFile, "r"),
    openSync(outFile, "a"),
    openSync(errFile, "a"),
  ];
  const child = spawn(command, args, {
    cwd: options.cwd ?? directory,
    env: { PATH: process.env.PATH ?? "/usr/sbin:/usr/bin:/sbin:/bin", ...options.env },
    stdio: fds as [number, number, number],
  });
  for (const fd of fds) closeSync(fd);
  const stdout = (): string => readFileSync(outFile, "utf8");
  const stderr = (): string => readFileSync(errFile, "utf8");
  const result = new Promise<Result>((done, fail) => {
    const timer = setTimeout(() => {
      child.kill("SIGKILL");
      fail(new Error(`time limit: ${words.join(" ")}\n${stdout()}\n${stderr()}`));
    }, options.timeout ?? 20_000);
    child.once("error", (error) => {
      clearTimeout(timer);
      fail(error);
    });
    child.once("exit", (status, signal) => {
      clearTimeout(timer);
      done({ status, signal, stdout: stdout(), stderr: stderr() });
    });
  });
  return { child, result, stdout, stderr };
}
