import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { once } from "node:events";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { loadLibc } from "../../../native-bindings/libc.ts";
import { deleteContainer } from "../../../src/container/delete.ts";
import { killContainer } from "../../../src/container/kill.ts";
import { containerPaths } from "../../../src/container/record.ts";
import { createContainerDir } from "../../../src/container/store.ts";
import { phrases } from "../../../src/errors.ts";
import { openProcess, sendSignal, waitForEnd } from "../../../src/host/signal.ts";
import { type Fixture, makeFixture, type Process } from "./fixture.ts";

let fixture: Fixture;
beforeEach(() => {
  fixture = makeFixture();
});
afterEach(() => fixture.remove());

const hasDir = (id: string): boolean => existsSync(join(fixture.ctx.root, id));

async function addLive(id: string, created = false): Promise<Process> {
  const live = await fixture.spawn();
  fixture.add(id, { pid: live.pid, startTime: live.startTime });
  if (created) writeFileSync(containerPaths(fixture.ctx.root, id).startSocket, "");
  return live;
}

async function endOf({ child }: Process): Promise<string | number | null> {
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  return child.signalCode ?? child.exitCode;
}

describe("pidfds", () => {
  test("stand for the process that started then", async () => {
    const libc = loadLibc(fixture.ctx.installDir);
    const live = await fixture.spawn();
    expect(openProcess(libc, live.pid, "1")).toBeUndefined();
    const pidfd = openProcess(libc, live.pid, live.startTime) as number;
    expect(waitForEnd(libc, pidfd, 10)).toBe(false);
    expect(sendSignal(libc, pidfd, 15)).toBe(true);
    expect(waitForEnd(libc, pidfd, 5000)).toBe(true);
    expect(await endOf(live)).toBe("SIGTERM");
    expect(sendSignal(libc, pidfd, 15)).toBe(false);
    expect(openProcess(libc, live.pid, live.startTime)).toBeUndefined();
    libc.close(pidfd);
  });
});

describe("kill", () => {
  test("sends the signal", async () => {
    const live = await addLive("a");
    await killContainer(fixture.ctx, "a", { signal: 10, all: false });
    expect(await endOf(live)).toBe("SIGUSR1");
  });

  test("a stopped container is not running, which --all takes", async () => {
    fixture.add("a", { pid: 2 ** 30 });
    await expect(killContainer(fixture.ctx, "a", { signal: 15, all: false })).rejects.toThrow(
      phrases.notRunning,
    );
    await expect(killContainer(fixture.ctx, "a", { signal: 9, all: false })).rejects.toThrow(
      phrases.notRunning,
    );
    await killContainer(fixture.ctx, "a", { signal: 9, all: true });
  });

  test("a process that has the number now is left alone", async () => {
    const live = await fixture.spawn();
    fixture.add("a", { pid: live.pid, startTime: "1" });
    await expect(killContainer(fixture.ctx, "a", { signal: 9, all: false })).rejects.toThrow(
      phrases.notRunning,
    );
    expect(live.child.signalCode).toBeNull();
  });

  test("no container, or one without a process", async () => {
    await expect(killContainer(fixture.ctx, "a", { signal: 15, all: true })).rejects.toThrow(phrases.absent);
    fixture.add("b", { phase: "creating" });
    await expect(killContainer(fixture.ctx, "b", { signal: 15, all: false })).rejects.toThrow(
      phrases.notRunning,
    );
  });
});

describe("delete", () => {
  test("a stopped container", async () => {
    fixture.add("a", { pid: 2 ** 30 });
    await deleteContainer(fixture.ctx, "a", { force: false });
    expect(hasDir("a")).toBe(false);
  });

  test("a created one, whose process is killed", async () => {
    const live = await addLive("a", true);
    await deleteContainer(fixture.ctx, "a", { force: false });
    expect(hasDir("a")).toBe(false);
    expect(await endOf(live)).toBe("SIGKILL");
  });

  test("a running one only by force", async () => {
    const live = await addLive("a");
    const attempt = deleteContainer(fixture.ctx, "a", { force: false });
    expect(attempt).rejects.toThrow("cannot delete container a that is not stopped: running");
    await attempt.catch(() => {});
    expect(live.child.signalCode).toBeNull();
    await deleteContainer(fixture.ctx, "a", { force: true });
    expect(hasDir("a")).toBe(false);
    expect(await endOf(live)).toBe("SIGKILL");
  });

  test("one that is being created only by force", async () => {
    fixture.add("a", { phase: "creating" });
    const attempt = deleteContainer(fixture.ctx, "a", { force: false });
    expect(attempt).rejects.toThrow("cannot delete container a that is not stopped: creating");
    await attempt.catch(() => {});
    await deleteContainer(fixture.ctx, "a", { force: true });
    expect(hasDir("a")).toBe(false);
  });

  test("no container", async () => {
    expect(deleteContainer(fixture.ctx, "a", { force: false })).rejects.toThrow(phrases.absent);
    await deleteContainer(fixture.ctx, "a", { force: true });
  });

  test("what a killed command left: a directory without, or with a broken, record", async () => {
    for (const text of [undefined, "", "{}"]) {
      createContainerDir(fixture.ctx, "a");
      const paths = containerPaths(fixture.ctx.root, "a");
      writeFileSync(paths.startBatch, "");
      mkdirSync(join(paths.dir, "lock.1-1-1"));
      writeFileSync(join(paths.dir, "lock.1-1-1/1-1-1"), "");
      if (text !== undefined) writeFileSync(paths.record, text);
      const attempt = deleteContainer(fixture.ctx, "a", { force: false });
      await attempt.then(
        () => expect.unreachable(),
        () => {},
      );
      expect(hasDir("a")).toBe(true);
      await deleteContainer(fixture.ctx, "a", { force: true });
      expect(hasDir("a")).toBe(false);
    }
  });

  test("one winner of many", async () => {
    fixture.add("a", { pid: 2 ** 30 });
    const attempts = await Promise.allSettled(
      Array.from({ length: 10 }, () => deleteContainer(fixture.ctx, "a", { force: false })),
    );
    expect(attempts.filter(({ status }) => status === "fulfilled").length).toBe(1);
    for (const attempt of attempts) {
      if (attempt.status === "rejected") expect(attempt.reason.message).toBe(phrases.absent);
    }
    expect(hasDir("a")).toBe(false);
  });

  test("by force of many at once", async () => {
    const live = await addLive("a");
    await Promise.all(Array.from({ length: 10 }, () => deleteContainer(fixture.ctx, "a", { force: true })));
    expect(hasDir("a")).toBe(false);
    expect(await endOf(live)).toBe("SIGKILL");
  });
});
