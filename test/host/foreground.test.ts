// Waiting for children, holding signals and passing them on, reaping orphans; and the poller below.
import { afterAll, describe, expect, test } from "bun:test";
import { EventEmitter } from "node:events";
import { loadLibc } from "../../native-bindings/libc.ts";
import { closeFd } from "../../src/host/fd.ts";
import { reapOrphans, setChildSubreaper, waitForExit } from "../../src/host/foreground.ts";
import { holdSignals } from "../../src/host/held-signals.ts";
import { sendAll } from "../../src/host/init-socket.ts";
import { launchInit } from "../../src/host/launch.ts";
import { openPipe } from "../../src/host/pipe.ts";
import { encodePollFds, openPoller, POLLIN, POLLOUT, type Poller } from "../../src/host/poller.ts";
import { readArchitecture } from "../../src/host/probe.ts";
import { exitStatus } from "../../src/host/process.ts";
import { closeSession, encodeSteps, openSession } from "../../src/host/session.ts";
import { openPidfd } from "../../src/host/signal.ts";
import { PlanBuilder } from "../../src/plan/build.ts";
import type { InitStep } from "../../src/plan/step.ts";
import { context, installDir } from "../init/init.ts";
import { countDescriptors, listChildren, until } from "./leaks.ts";

const libc = loadLibc(installDir);
const PR_SET_CHILD_SUBREAPER = 36;
afterAll(() => void libc.prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0));

const failNever = (error: unknown): never => {
  throw error;
};

/** A shell that is a child of this process but not of the engine's. */
function startShell(script: string): number {
  const init = launchInit(context, { stdio: [0, 1, 2], pass: [] });
  const session = openSession(init, readArchitecture());
  const p = new PlanBuilder();
  p.call("close_range", [3, 0xffffffff, 4]);
  const args = { kind: "strings", values: ["sh", "-c", script] } as const;
  p.call("execve", ["/bin/sh", args, { kind: "strings", values: ["PATH=/usr/bin:/bin"] }]);
  sendAll(session, encodeSteps(session, p.build().steps as InitStep[], 0).bytes);
  closeSession(session);
  return init.launcherPid;
}

/** Runs `use` with a poller and the pidfd of a shell; waits for the shell's end. */
async function withShell(
  script: string,
  use: (pid: number, pidfd: number, poller: Poller) => Promise<void> | void,
): Promise<number> {
  const before = countDescriptors();
  const poller = openPoller(libc, failNever);
  const pid = startShell(script);
  const pidfd = openPidfd(libc, pid) as number;
  const ended = waitForExit(libc, poller, pid, pidfd);
  await use(pid, pidfd, poller);
  const status = await ended;
  poller.close();
  closeFd(libc, pidfd);
  await until("the poller's pipe to be closed", () => countDescriptors() <= before);
  expect(listChildren()).toEqual([]);
  return exitStatus(status);
}

describe("waitForExit", () => {
  test("gives the status, and leaves no zombie", async () => {
    expect(await withShell("exit 7", () => {})).toBe(7);
    expect(await withShell("kill -USR1 $$", () => {})).toBe(128 + 10);
  });
  test("does not block the event loop", async () => {
    let ticks = 0;
    const timer = setInterval(() => ticks++, 10);
    await withShell("sleep 0.3", () => {});
    clearInterval(timer);
    expect(ticks).toBeGreaterThan(10);
  });
  test("works for more processes than the engine's pool has threads", async () => {
    const start = Date.now();
    const all = Array.from({ length: 6 }, (_, i) => `sleep 0.3; exit ${i}`);
    const poller = openPoller(libc, failNever);
    const statuses = await Promise.all(
      all.map(async (script) => {
        const pid = startShell(script);
        const pidfd = openPidfd(libc, pid) as number;
        const status = await waitForExit(libc, poller, pid, pidfd);
        closeFd(libc, pidfd);
        return exitStatus(status);
      }),
    );
    poller.close();
    expect(statuses).toEqual([0, 1, 2, 3, 4, 5]);
    expect(Date.now() - start).toBeLessThan(6 * 300);
  });
});

describe("holdSignals", () => {
  test("holds what comes, passes it on in its order, then all that follows, until it is released", async () => {
    const signals = new EventEmitter();
    const script =
      "trap 'exit 3' HUP; trap 'n=$n.USR1' USR1; trap 'n=$n.USR2' USR2; trap 'exit 4' TERM; " +
      "while :; do sleep 0.02; [ \"$n\" = .USR1.USR2.USR2 ] && trap 'exit 5' TERM; done";
    const status = await withShell(script, async (_pid, pidfd, poller) => {
      const held = holdSignals(libc, signals, { terminal: false });
      signals.emit("SIGUSR1");
      await Bun.sleep(200);
      held.forward(pidfd, poller, failNever);
      for (const name of ["SIGUSR2", "SIGUSR2"]) {
        await Bun.sleep(100);
        signals.emit(name);
      }
      await Bun.sleep(100);
      held.release();
      signals.emit("SIGHUP");
      await Bun.sleep(100);
      const again = holdSignals(libc, signals, { terminal: false });
      again.forward(pidfd, poller, failNever);
      signals.emit("SIGTERM");
      await Bun.sleep(100);
      signals.emit("SIGTERM"); // the process has ended: no error
      again.release();
    });
    expect(status).toBe(5);
    expect(signals.eventNames()).toEqual([]);
  });
  test("knows what is not for the process", () => {
    const signals = new EventEmitter();
    holdSignals(libc, signals, { terminal: true });
    const names = signals.eventNames() as string[];
    for (const name of ["HUP", "INT", "QUIT", "USR1", "USR2", "ALRM", "TERM", "CONT", "TSTP", "IO"])
      expect(names).toContain(`SIG${name}`);
    for (const name of ["KILL", "STOP", "CHLD", "PIPE", "URG", "TTIN", "TTOU", "WINCH", "SEGV"])
      expect(names).not.toContain(`SIG${name}`);
    const plain = new EventEmitter();
    holdSignals(libc, plain, { terminal: false });
    expect(plain.eventNames()).toContain("SIGWINCH");
  });
  test("the engine lets all of them be handled", () => {
    holdSignals(libc, process, { terminal: false }).release();
  });
});

describe("reapOrphans", () => {
  test("reaps what becomes our child, but not the process itself", async () => {
    setChildSubreaper(libc);
    const signals = new EventEmitter();
    const status = await withShell("(sleep 0.1 & sleep 0.1 &) ; sleep 0.4; exit 5", async (pid) => {
      const stop = reapOrphans(libc, signals, pid);
      await until("the orphans", () => listChildren().length === 3);
      await Bun.sleep(200);
      expect(listChildren().length).toBe(3); // zombies
      signals.emit("SIGCHLD");
      expect(listChildren()).toEqual([pid]);
      stop();
    });
    expect(status).toBe(5);
  });
  test("leaves the process to waitForExit when both find it ended", async () => {
    const signals = new EventEmitter();
    const status = await withShell("exit 6", (pid, pidfd) => {
      const stop = reapOrphans(libc, signals, pid);
      libc.poll(encodePollFds([{ fd: pidfd, events: POLLIN }]), 1, 5000);
      signals.emit("SIGCHLD");
      stop();
    });
    expect(status).toBe(6);
  });
});

describe("the poller", () => {
  test("tells what is ready, follows changes, and stops", async () => {
    const before = countDescriptors();
    const poller = openPoller(libc, failNever);
    const [read, write] = openPipe(libc, "");
    const seen: string[] = [];
    const reading = poller.watch(read, POLLIN, () => {
      libc.read(read, new Uint8Array(8), 8);
      seen.push("readable");
    });
    const writing = poller.watch(write, 0, () => {
      seen.push("writable");
      writing.set(0);
    });
    await Bun.sleep(30);
    expect(seen).toEqual([]);
    libc.write(write, new Uint8Array(1), 1);
    await until("a byte", () => seen.length === 1);
    writing.set(POLLOUT);
    await until("room", () => seen.length === 2);
    await Bun.sleep(30);
    expect(seen).toEqual(["readable", "writable"]);
    reading.stop();
    libc.write(write, new Uint8Array(1), 1);
    await Bun.sleep(30);
    expect(seen.length).toBe(2);
    writing.stop();
    closeFd(libc, read);
    closeFd(libc, write);
    poller.close();
    await until("its pipe to be closed", () => countDescriptors() === before);
  });
  test("can be closed while it waits", async () => {
    const before = countDescriptors();
    const poller = openPoller(libc, failNever);
    const [read, write] = openPipe(libc, "");
    poller.watch(read, POLLIN, failNever);
    await Bun.sleep(10);
    poller.close();
    libc.write(write, new Uint8Array(1), 1);
    closeFd(libc, read);
    closeFd(libc, write);
    await until("its pipe to be closed", () => countDescriptors() === before);
  });
});
