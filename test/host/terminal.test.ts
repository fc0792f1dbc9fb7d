// The caller's terminal: a pty whose other side is a python3 program, since it has to be someone's controlling one.
import { describe, expect, test } from "bun:test";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { join } from "node:path";
import { until } from "./leaks.ts";

const pty = join(import.meta.dirname, "../e2e/peers/pty.py");
const attach = join(import.meta.dirname, "attach.ts");

interface Peer {
  readonly child: ChildProcess;
  readonly output: () => string;
  readonly report: () => string;
  readonly order: (order: { write: string } | { resize: [number, number] }) => void;
  readonly shows: (pattern: RegExp) => Promise<void>;
  /** Pid of the program on the terminal. */
  readonly pid: () => number;
  readonly ending: () => Promise<{ status: number; restored: boolean }>;
}

function open(script: string, shell?: string): Peer {
  const command = shell === undefined ? [process.execPath, attach, script] : ["sh", "-c", shell];
  const child = spawn("python3", [pty, ...command], {
    stdio: "pipe",
    env: { ...process.env, SCRIPT: script, ENGINE: process.execPath, ATTACH: attach },
  });
  let output = "";
  let report = "";
  child.stdout.on("data", (data) => {
    output += data;
  });
  child.stderr.on("data", (data) => {
    report += data;
  });
  const closed = new Promise((done) => child.once("close", done));
  return {
    child,
    output: () => output,
    report: () => report,
    order: (order) => void child.stdin.write(`${JSON.stringify(order)}\n`),
    shows: (pattern) =>
      until(`${pattern} in ${JSON.stringify(output)}, ${report}`, () => pattern.test(output)),
    pid: () => Number(/child (\d+)/.exec(report)?.[1]),
    ending: async () => {
      await closed;
      return JSON.parse(report.trim().split("\n").at(-1) as string);
    },
  };
}

const RESTORED = { restored: true } as const;

describe("a terminal in the foreground", () => {
  test("relays both ways, ends with the process's status, and is restored", async () => {
    const peer = open("echo ready; read a; echo got $a; exit 9");
    await peer.shows(/ready/);
    peer.order({ write: "typed\r" });
    await peer.shows(/got typed/);
    expect(await peer.ending()).toEqual({ status: 9, ...RESTORED });
    expect(peer.output().match(/typed/g)?.length).toBe(2); // echoed once, by the inner pty
  });
  test("adds carriage returns once", async () => {
    const peer = open("stty -a | grep -o -e -onlcr; echo two");
    expect(await peer.ending()).toEqual({ status: 0, ...RESTORED });
    expect(peer.output()).toBe("-onlcr\r\ntwo\r\n");
  });
  test("has the caller's size from the start, and follows it", async () => {
    const peer = open("stty size; trap 'stty size; exit' WINCH; while :; do sleep 0.05; done");
    await peer.shows(/24 80/);
    await Bun.sleep(100);
    peer.order({ resize: [40, 132] });
    await peer.shows(/40 132/);
    expect((await peer.ending()).restored).toBe(true);
  });
  test("^C goes to the process", async () => {
    const peer = open("trap 'echo caught; exit 5' INT; echo ready; while :; do sleep 0.05; done");
    await peer.shows(/ready/);
    peer.order({ write: "\u0003" });
    expect(await peer.ending()).toEqual({ status: 5, ...RESTORED });
    expect(peer.output()).toMatch("caught");
  });
  test("all output arrives, also the last when the process ends at once", async () => {
    const peer = open("seq 1 30000; echo finished");
    expect(await peer.ending()).toEqual({ status: 0, ...RESTORED });
    const lines = peer.output().split("\r\n");
    expect(lines.length).toBe(30002);
    expect(lines.at(-2)).toBe("finished");
    expect(lines[29999]).toBe("30000");
  });
  test("large input arrives whole", async () => {
    const peer = open("stty raw -echo; echo ready; head -c 200000 | md5sum; exit 0");
    await peer.shows(/ready/);
    peer.order({ write: "0123456789".repeat(20000) });
    await peer.shows(
      new RegExp(new Bun.CryptoHasher("md5").update("0123456789".repeat(20000)).digest("hex")),
    );
    expect((await peer.ending()).restored).toBe(true);
  });
  test("a process that stays behind on the pty does not hold it", async () => {
    const start = Date.now();
    const peer = open("trap '' HUP; (trap '' HUP; exec setsid sleep 4) & sleep 0.1; echo over");
    expect(await peer.ending()).toEqual({ status: 0, ...RESTORED });
    expect(peer.output()).toBe("over\r\n");
    expect(Date.now() - start).toBeLessThan(3000);
  });
});

describe("the caller's terminal is restored when this process ends by", () => {
  /** Pid of the child of the shell on the terminal. */
  const childOf = (peer: Peer): number => {
    const list = spawnSync("ps", ["-o", "pid=", "--ppid", String(peer.pid())]).stdout.toString();
    return Number(list.trim().split("\n")[0]);
  };
  for (const signal of ["SIGTERM", "SIGHUP"] as const)
    test(signal, async () => {
      const peer = open("echo ready; exec sleep 20");
      await peer.shows(/ready/);
      const raw = spawnSync("sh", ["-c", `stty -a </proc/${peer.pid()}/fd/0`]).stdout.toString();
      expect(raw).toMatch("-icanon");
      process.kill(peer.pid(), signal);
      expect(await peer.ending()).toEqual({ status: 128 + { SIGTERM: 15, SIGHUP: 1 }[signal], ...RESTORED });
    });
  // Soon enough for a shell's next prompt: the keeper works on when this process is gone already.
  const thenLook = `"$ENGINE" "$ATTACH" "$SCRIPT"; sleep 0.2; stty -a | grep -o -e '-\\?icanon'; exit 3`;
  test("SIGKILL", async () => {
    const peer = open("echo ready; exec sleep 20", thenLook);
    await peer.shows(/ready/);
    process.kill(childOf(peer), "SIGKILL");
    expect(await peer.ending()).toEqual({ status: 3, ...RESTORED });
    expect(peer.output()).toMatch(/(^|\n)icanon/);
  });
  test("SIGKILL to its whole process group", async () => {
    const peer = open("echo ready; exec sleep 20", `set -m; ${thenLook}`);
    await peer.shows(/ready/);
    process.kill(-childOf(peer), "SIGKILL");
    expect(await peer.ending()).toEqual({ status: 3, ...RESTORED });
    expect(peer.output()).toMatch(/(^|\n)icanon/);
  });
});

describe("redirected streams", () => {
  test("output goes to a pipe, input comes from the terminal", async () => {
    const shell = '"$ENGINE" "$ATTACH" "$SCRIPT" | tr a-z A-Z';
    const peer = open("echo ready; read a; echo got $a", shell);
    await peer.shows(/READY/);
    peer.order({ write: "x\r" });
    await peer.shows(/GOT X/);
    expect((await peer.ending()).restored).toBe(true);
  });
  test("input is at its end", async () => {
    const shell = `"$ENGINE" "$ATTACH" "$SCRIPT" </dev/null`;
    const peer = open("echo ready; sleep 0.2; echo over; exit 4", shell);
    expect(await peer.ending()).toEqual({ status: 4, ...RESTORED });
    expect(peer.output()).toBe("ready\r\nover\r\n");
  });
  test("output that nobody reads does not stop the process", async () => {
    const shell = `{ "$ENGINE" "$ATTACH" "$SCRIPT"; echo status $? >&2; } | head -n 1`;
    const peer = open("seq 1 100000; exit 6", shell);
    await peer.shows(/status 6/);
    expect((await peer.ending()).restored).toBe(true);
  });
  test("without any terminal it is an error", () => {
    const { stderr, status } = spawnSync("setsid", ["-w", process.execPath, attach, "true"], {
      stdio: "pipe",
    });
    expect(stderr.toString()).toMatch("open /dev/tty: no such device or address (process.terminal is true");
    expect(status).toBe(99);
  });
});
