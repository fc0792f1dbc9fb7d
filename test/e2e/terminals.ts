// The other side of a terminal: a receiver for --console-socket, and a pty to run a command on. Both are small
// python3 programs, because neither Node nor Bun can receive a descriptor by SCM_RIGHTS.
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { executable, waitFor } from "./harness.ts";

export interface Terminal {
  /** What came out of the pty so far. */
  readonly output: () => string;
  /** What the peer itself reported so far. */
  readonly report: () => string;
  readonly write: (text: string) => void;
  readonly resize: (rows: number, columns: number) => void;
  /** Waits until the output matches. */
  readonly expect: (pattern: RegExp) => Promise<RegExpMatchArray>;
  /** The peer's exit status. */
  readonly ended: Promise<number | null>;
  readonly close: () => void;
}

function wrap(child: ChildProcess): Terminal {
  let output = "";
  let report = "";
  child.stdout?.on("data", (data: Buffer) => {
    output += data.toString();
  });
  child.stderr?.on("data", (data: Buffer) => {
    report += data.toString();
  });
  const order = (value: unknown): void => {
    child.stdin?.write(`${JSON.stringify(value)}\n`);
  };
  return {
    output: () => output,
    report: () => report,
    write: (text) => order({ write: text }),
    resize: (rows, columns) => order({ resize: [rows, columns] }),
    expect: (pattern) => waitFor(`${pattern} in ${JSON.stringify(output)}`, () => output.match(pattern)),
    ended: new Promise((done) => child.once("close", (status) => done(status))),
    close: () => {
      child.kill("SIGKILL");
    },
  };
}

const peer = (name: string): string => join(import.meta.dirname, "peers", name);

/** Listens at the path for one pty master. */
export async function openConsoleReceiver(path: string): Promise<Terminal> {
  const child = spawn("python3", [peer("console.py"), path], { stdio: ["pipe", "pipe", "pipe"] });
  const terminal = wrap(child);
  await waitFor("the console receiver", () => terminal.report().includes("ready"));
  return terminal;
}

/** Runs a command on a pty of 24 rows and 80 columns. */
export function runOnPty(
  words: readonly string[],
  directory: string,
  env: Readonly<Record<string, string>> = {},
): Terminal {
  const child = spawn("python3", [peer("pty.py"), ...words], {
    cwd: directory,
    env: { ...process.env, ...env },
    stdio: ["pipe", "pipe", "pipe"],
  });
  return wrap(child);
}

/** Runs the executable under test on a pty. */
export const runOnTerminal = (args: readonly string[], directory: string): Terminal =>
  runOnPty([executable, ...args], directory);
