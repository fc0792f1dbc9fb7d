// The other side of a seccomp filter: an agent that answers, a small python3 program.
import { spawn } from "node:child_process";
import { join } from "node:path";
import { waitFor } from "./harness.ts";

export interface Answer {
  readonly error?: number;
  readonly value?: number;
}

interface Delivery {
  readonly state: {
    readonly ociVersion: string;
    readonly fds: readonly string[];
    readonly pid: number;
    readonly metadata?: string;
    readonly state: Readonly<Record<string, unknown>>;
  };
  readonly descriptors: number;
  readonly closed: boolean;
}

export interface Agent {
  /** What came over the socket so far. */
  readonly deliveries: () => readonly Delivery[];
  /** Numbers of the calls that it was asked about so far. */
  readonly calls: () => readonly number[];
  readonly close: () => void;
}

/** Listens at the path. `answers`: by the number of the system call. */
export async function openAgent(path: string, answers: Readonly<Record<number, Answer>>): Promise<Agent> {
  const program = join(import.meta.dirname, "peers/agent.py");
  const child = spawn("python3", [program, path, JSON.stringify(answers)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  child.stdout.on("data", (data: Buffer) => {
    output += data.toString();
  });
  await waitFor("the seccomp agent", () => output.includes("ready"));
  const lines = (): unknown[] => {
    const whole = output.slice(0, output.lastIndexOf("\n")).split("\n").slice(1);
    return whole.map((line) => JSON.parse(line));
  };
  return {
    deliveries: () => lines().filter((line): line is Delivery => "state" in (line as object)),
    calls: () =>
      lines().flatMap((line) => ("call" in (line as object) ? [(line as { call: number }).call] : [])),
    close: () => void child.kill("SIGKILL"),
  };
}
