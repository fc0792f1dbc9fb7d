// Terminals in the foreground: run -t and exec -t on the caller's own terminal, sizes, and restoring.
import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { type Config, withTerminal } from "./config.ts";
import { executable, isPeer, openSandbox } from "./harness.ts";
import { runOnPty, runOnTerminal, type Terminal } from "./terminals.ts";

const box = openSandbox("terminal-foreground");
const ours = test.skipIf(isPeer);

interface Ending {
  status: number;
  restored: boolean;
}

async function readEnding(terminal: Terminal): Promise<Ending> {
  await terminal.ended;
  const line = terminal.report().trim().split("\n").at(-1) ?? "";
  return JSON.parse(line) as Ending;
}

describe("run in the foreground", () => {
  const run = (args: readonly string[], change?: (config: Config) => void) => {
    const id = box.id();
    const bundle = box.bundle(args, withTerminal(change));
    return {
      id,
      terminal: runOnTerminal(["--root", box.root, "run", "--bundle", bundle.directory, id], box.directory),
    };
  };
  test("relays both ways and returns the status", async () => {
    const { terminal } = run(["sh", "-c", "read a; echo got $a; exit 9"]);
    await Bun.sleep(300);
    terminal.write("typed\r");
    await terminal.expect(/got typed/);
    expect(await readEnding(terminal)).toEqual({ status: 9, restored: true });
  });
  test("has the caller's size, and follows it", async () => {
    const { terminal } = run([
      "sh",
      "-c",
      "stty size; trap 'stty size; exit' WINCH; while :; do sleep 0.05; done",
    ]);
    await terminal.expect(/24 80/);
    await Bun.sleep(200);
    terminal.resize(40, 132);
    await terminal.expect(/40 132/);
    expect((await readEnding(terminal)).restored).toBe(true);
  });
  // runc 1.1 tries for ever, at the cost of a whole processor.
  ours("as a background job it is stopped until it gets the terminal", async () => {
    const id = box.id();
    const { directory } = box.bundle(["sh", "-c", "echo begun; exit 6"], withTerminal());
    const command = `${executable} --root ${box.root} run --bundle ${directory} ${id}`;
    const state = "cut -d' ' -f3 /proc/$!/stat";
    const wait = `for i in 1 2 3 4 5 6 7 8 9; do [ "$(${state})" = T ] && break; sleep 0.2; done; ${state}`;
    const terminal = runOnPty(["bash", "-c", `set -m; ${command} & ${wait}; fg; exit $?`], box.directory);
    await terminal.expect(/T\r?\n[\s\S]*begun/);
    expect((await readEnding(terminal)).status).toBe(6);
  });
  test("^C goes to the process, not to tsrunc", async () => {
    const { terminal } = run([
      "sh",
      "-c",
      "trap 'echo caught; exit 5' INT; echo ready; while :; do sleep 0.05; done",
    ]);
    await terminal.expect(/ready/);
    terminal.write("\u0003");
    await terminal.expect(/caught/);
    expect(await readEnding(terminal)).toEqual({ status: 5, restored: true });
  });
  test("the caller's terminal is raw while it runs: typed text is echoed once", async () => {
    const { terminal } = run(["sh", "-c", "echo ready; read a; exit 0"]);
    await terminal.expect(/ready/);
    terminal.write("onceonly\r");
    expect((await readEnding(terminal)).status).toBe(0);
    expect(terminal.output().match(/onceonly/g)?.length).toBe(1);
  });
  test("the container's pty adds no carriage returns, the caller's terminal adds one (as with runc)", async () => {
    const { terminal } = run(["sh", "-c", "stty -a | grep -o -e -onlcr; echo two"]);
    await readEnding(terminal);
    expect(terminal.output()).toBe("-onlcr\r\ntwo\r\n");
  });
  test("a lot of output arrives whole", async () => {
    const { terminal } = run(["sh", "-c", "seq 1 20000; echo finished"]);
    await terminal.expect(/finished/);
    const numbers = terminal
      .output()
      .split(/\r?\n/)
      .filter((l) => /^\d+$/.test(l));
    expect(numbers.length).toBe(20000);
    await readEnding(terminal);
  });
  test("exec -t relays, and returns the status", async () => {
    const id = box.id();
    await box.ok(["run", "-d", "--bundle", box.bundle(["sleep", "100"]).directory, id]);
    const terminal = runOnTerminal(
      ["--root", box.root, "exec", "-t", id, "sh", "-c", "tty; stty size; exit 6"],
      box.directory,
    );
    await terminal.expect(/\/dev\/pts\/\d+[\s\S]*24 80/);
    expect(await readEnding(terminal)).toEqual({ status: 6, restored: true });
    await box.ok(["delete", "--force", id]);
  });
  for (const signal of ["SIGTERM", "SIGHUP", "SIGKILL"] as const) {
    // Nothing can act in a process at SIGKILL: a second one has to restore the terminal.
    ours(`the caller's terminal is restored when tsrunc ends by ${signal}`, async () => {
      const { id, terminal } = run(["sh", "-c", "echo ready; exec sleep 100"], (config) => {
        config.linux.namespaces = config.linux.namespaces.filter((n) => n.type !== "pid");
      });
      await terminal.expect(/ready/);
      await terminal.expect(/ready/);
      const child = Number(terminal.report().match(/child (\d+)/)?.[1]);
      process.kill(child, signal);
      const ending = await readEnding(terminal);
      expect(ending.restored).toBe(true);
      await box.run(["delete", "--force", id]);
    });
  }
  test("the executable under test is the built one", () => {
    expect(existsSync(executable)).toBe(true);
  });
});
