import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync, renameSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { withContainerLock, withNewContainer } from "../../../src/container/lock.ts";
import { createContainerDir, findRecord, removeContainerDir } from "../../../src/container/store.ts";
import { phrases } from "../../../src/errors.ts";
import { type Fixture, makeFixture } from "./fixture.ts";

let fixture: Fixture;
const holders: ChildProcess[] = [];
beforeEach(() => {
  fixture = makeFixture();
});
afterEach(async () => {
  for (const holder of holders.splice(0)) {
    if (holder.exitCode === null && holder.signalCode === null) {
      holder.kill("SIGKILL");
      await once(holder, "exit");
    }
  }
  await fixture.remove();
});

/** A process that holds the lock of container `a`; when this resolves it does. */
async function hold(ms: number): Promise<ChildProcess> {
  const script = join(import.meta.dirname, "lock-holder.ts");
  const holder = spawn(process.execPath, [script, fixture.ctx.root, "a", String(ms)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  holders.push(holder);
  await once(holder.stdout as NodeJS.ReadableStream, "data");
  return holder;
}

const files = (): string[] => readdirSync(join(fixture.ctx.root, "a")).sort();

describe("a lock", () => {
  test("leaves nothing behind, neither after an error", async () => {
    fixture.add("a");
    expect(await withContainerLock(fixture.ctx, "a", () => files())).toEqual(["lock", "state.json"]);
    expect(files()).toEqual(["state.json"]);
    const failure = withContainerLock(fixture.ctx, "a", () => {
      throw new Error("inside");
    });
    expect(failure).rejects.toThrow("inside");
    await failure.catch(() => {});
    expect(files()).toEqual(["state.json"]);
  });

  test("is held by one at a time", async () => {
    fixture.add("a");
    let inside = 0;
    let most = 0;
    await Promise.all(
      Array.from({ length: 20 }, () =>
        withContainerLock(fixture.ctx, "a", async () => {
          most = Math.max(most, ++inside);
          await Bun.sleep(1);
          inside--;
        }),
      ),
    );
    expect(most).toBe(1);
    expect(files()).toEqual(["state.json"]);
  });

  test("of a container that is not there", async () => {
    expect(withContainerLock(fixture.ctx, "a", () => {})).rejects.toThrow(phrases.absent);
  });

  test("another process waits for it", async () => {
    fixture.add("a");
    const holder = await hold(300);
    const began = performance.now();
    await withContainerLock(fixture.ctx, "a", () => {});
    expect(performance.now() - began).toBeGreaterThan(150);
    if (holder.exitCode === null) await once(holder, "exit");
    expect(holder.exitCode).toBe(0);
  });

  test("a living owner keeps it, however old it is", async () => {
    fixture.add("a");
    await hold(60_000);
    const lock = join(fixture.ctx.root, "a/lock");
    for (const path of [lock, join(lock, readdirSync(lock)[0] as string)]) utimesSync(path, 1, 1);
    const attempt = withContainerLock(fixture.ctx, "a", () => {}, { waitMs: 200 });
    expect(attempt).rejects.toThrow(/^container a is in use by another command \(process \d+\)$/);
    await attempt.catch(() => {});
    expect(files()).toEqual(["lock", "state.json"]);
  });

  test("of a killed owner is free at once, for one of many", async () => {
    fixture.add("a");
    const holder = await hold(60_000);
    holder.kill("SIGKILL");
    await once(holder, "exit");
    const began = performance.now();
    let inside = 0;
    await Promise.all(
      Array.from({ length: 10 }, () =>
        withContainerLock(fixture.ctx, "a", async () => {
          expect(++inside).toBe(1);
          await Bun.sleep(1);
          inside--;
        }),
      ),
    );
    expect(performance.now() - began).toBeLessThan(3000);
    expect(files()).toEqual(["state.json"]);
  });

  test("of another pid namespace is respected for a minute", async () => {
    fixture.add("a");
    const lock = join(fixture.ctx.root, "a/lock");
    mkdirSync(lock);
    writeFileSync(join(lock, "1-1-1"), "");
    const attempt = withContainerLock(fixture.ctx, "a", () => {}, { waitMs: 50 });
    expect(attempt).rejects.toThrow("in use");
    await attempt.catch(() => {});
    const old = Date.now() / 1000 - 61;
    utimesSync(join(lock, "1-1-1"), old, old);
    expect(await withContainerLock(fixture.ctx, "a", () => "mine", { waitMs: 50 })).toBe("mine");
  });

  test("an empty lock directory holds nobody off", async () => {
    fixture.add("a");
    mkdirSync(join(fixture.ctx.root, "a/lock"));
    expect(await withContainerLock(fixture.ctx, "a", () => "mine", { waitMs: 50 })).toBe("mine");
  });
});

describe("with deletion", () => {
  test("a container that is deleted under its lock is gone for those who wait", async () => {
    fixture.add("a");
    const first = withContainerLock(fixture.ctx, "a", async () => {
      await Bun.sleep(30);
      removeContainerDir(fixture.ctx, "a");
    });
    // One that gets the lock in the last moment finds no record.
    const waiting = withContainerLock(fixture.ctx, "a", () => findRecord(fixture.ctx, "a")).catch(
      (error: Error) => error.message,
    );
    await first;
    expect([undefined, phrases.absent]).toContain((await waiting) as undefined);
  });

  test("the deleter's release does not touch the lock of a new container of the same name", async () => {
    fixture.add("a");
    await withContainerLock(fixture.ctx, "a", async () => {
      removeContainerDir(fixture.ctx, "a");
      createContainerDir(fixture.ctx, "a");
      const lock = join(fixture.ctx.root, "a/lock");
      mkdirSync(lock);
      writeFileSync(join(lock, "other"), "");
    });
    expect(files()).toEqual(["lock"]);
  });
});

describe("a new container", () => {
  test("is made by exactly one", async () => {
    const attempts = await Promise.allSettled(
      Array.from({ length: 10 }, (_, i) =>
        withNewContainer(fixture.ctx, "a", async () => {
          await Bun.sleep(5);
          return i;
        }),
      ),
    );
    expect(attempts.filter(({ status }) => status === "fulfilled").length).toBe(1);
    for (const attempt of attempts) {
      if (attempt.status === "rejected") expect(attempt.reason.message).toBe(phrases.exists);
    }
    expect(files()).toEqual([]);
  });

  test("is not made in the directory of another", async () => {
    const { ctx } = fixture;
    const attempt = withNewContainer(ctx, "a", () => "made");
    // The first step, making the directory, is done when the call returns; `delete --force` and another `create`
    // come before the second one.
    renameSync(join(ctx.root, "a"), join(ctx.root, "b"));
    fixture.add("a");
    expect(attempt).rejects.toThrow(phrases.exists);
    await attempt.catch(() => {});
    expect(files()).toEqual(["state.json"]);
  });
});
