// Counts of what a command of tsrunc does, which are the same on every run: its system calls, its conversation with
// init, the modules that it loads.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { startCommand } from "./command.ts";

/** What a command does with the kernel and with init. */
export interface CallCounts {
  /** System calls of the command's process, without init, hooks and the container. */
  readonly calls: number;
  /** Batches of steps that it sends to init. */
  readonly batches: number;
  /** Bytes that it sends to init and receives from it. */
  readonly socketBytes: number;
}

/** What a command loads. */
export interface ChunkCounts {
  /** Chunks of the bundle (scripts/bundle.mjs). */
  readonly chunks: number;
  /** Bytes of JavaScript in those. */
  readonly chunkBytes: number;
}

/**
 * System calls whose number depends on the moment: on other threads (allocation, garbage collection, the compiler),
 * on the clock, on how often a wait is woken.
 */
const UNSTEADY = [
  ..."futex madvise mmap munmap mprotect mremap brk".split(" "),
  ..."rseq set_robust_list set_tid_address sigaltstack rt_sigprocmask rt_sigreturn gettid getpid".split(" "),
  ..."sched_getaffinity sched_setaffinity sched_yield clock_gettime clock_nanosleep gettimeofday".split(" "),
  ..."nanosleep epoll_wait epoll_pwait epoll_pwait2 poll ppoll select pselect6 restart_syscall".split(" "),
  ..."exit exit_group getrandom sysinfo".split(" "),
];

export interface Counter {
  /** A directory for traces and outputs. */
  readonly directory: string;
  /** The command in front of everything: a namespace to run in. */
  readonly prefix: readonly string[];
  readonly executable: string;
}

/** Runs a command of the executable under strace. Throws if its status is not 0. */
export async function countCalls(
  { directory, prefix, executable }: Counter,
  args: readonly string[],
): Promise<CallCounts> {
  const trace = join(directory, "trace");
  // All threads of the process; what it starts is let go when it executes its own program.
  const strace = ["strace", "-f", "--detach-on=execve", "-qq", "-y", "-s8", "-o", trace, "-e", "signal=none"];
  const filter = ["-e", `trace=!${UNSTEADY.map((name) => `?${name}`).join(",")}`];
  await runOrFail(directory, [...prefix, ...strace, ...filter, executable, ...args]);
  return summarizeTrace(readFileSync(trace, "utf8"));
}

/** Counts the calls in the output of `strace -f -y`. */
function summarizeTrace(text: string): CallCounts {
  const unfinished = new Map<string, string>();
  let [calls, batches, socketBytes] = [0, 0, 0];
  for (const line of text.split("\n")) {
    const [, thread = "", rest = ""] = /^(\d+) +(.*)$/.exec(line) ?? [];
    if (rest === "" || rest.startsWith("+++") || rest.startsWith("---")) continue;
    if (rest.endsWith("<unfinished ...>")) {
      unfinished.set(thread, rest.slice(0, -"<unfinished ...>".length));
      continue;
    }
    const resumed = /^<\.\.\. \w+ resumed>(.*)$/.exec(rest);
    const call = resumed ? `${unfinished.get(thread) ?? ""}${resumed[1]}` : rest;
    if (isUnsteady(call)) continue;
    calls += 1;
    if (!/^(send|recv|read|write)\w*\(\d+<socket:/.test(call)) continue;
    socketBytes += Math.max(0, Number(/ = (-?\d+)[^=]*$/.exec(call)?.[1] ?? 0));
    if (call.includes('"TSRB')) batches += 1;
  }
  return { calls, batches, socketBytes };
}

/** Interrupted calls are repeated; threads come and go as the engine likes, and give themselves names. */
function isUnsteady(call: string): boolean {
  return (
    / = (\? |-1 )(ERESTART|EINTR)/.test(call) || call.includes("CLONE_THREAD") || call.includes("PR_SET_NAME")
  );
}

/**
 * Runs a command and counts the chunks that the engine has loaded at its end, which a script that it loads first can
 * tell. Throws if the status is not 0.
 */
export async function countChunks(
  { directory, prefix, executable }: Counter,
  args: readonly string[],
): Promise<ChunkCounts> {
  const script = join(directory, "list-chunks.cjs");
  const list = join(directory, "chunks.json");
  writeFileSync(
    script,
    `process.on("exit", () => {
      const { statSync, writeFileSync } = require("node:fs");
      const chunks = Object.keys(require.cache).filter((name) => name.startsWith("/$bunfs/"));
      writeFileSync(${JSON.stringify(list)}, JSON.stringify(chunks.map((name) => statSync(name).size)));
    });`,
  );
  await runOrFail(directory, [...prefix, executable, ...args], { BUN_OPTIONS: `--preload=${script}` });
  const sizes = JSON.parse(readFileSync(list, "utf8")) as number[];
  return { chunks: sizes.length, chunkBytes: sizes.reduce((sum, size) => sum + size, 0) };
}

async function runOrFail(
  directory: string,
  words: readonly string[],
  env: Record<string, string> = {},
): Promise<void> {
  const { status, stderr } = await startCommand(directory, words, { env, timeout: 60_000 }).result;
  if (status !== 0) throw new Error(`${words.join(" ")}: status ${status}\n${stderr}`);
}
