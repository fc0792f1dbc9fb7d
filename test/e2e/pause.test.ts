// pause and resume: what the processes do meanwhile, and what each status answers.
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { openSandbox, readStatus, waitFor } from "./harness.ts";

const box = openSandbox("pause");

/** Counts in the file `count` of its root file system, some hundred times a second. */
const COUNTER = "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); echo $i >/count; usleep 2000; done";

async function withCounter(use: (id: string, count: () => number) => Promise<void>): Promise<void> {
  const id = box.id();
  const bundle = box.bundle(["sh", "-c", COUNTER]);
  const count = (): number => Number(readFileSync(join(bundle.rootfs, "count"), "utf8"));
  await box.ok(["run", "--detach", "--bundle", bundle.directory, id]);
  try {
    await waitFor("the first count", () => {
      try {
        return count() > 5;
      } catch {
        return false;
      }
    });
    await use(id, count);
  } finally {
    await box.ok(["delete", "--force", id]);
  }
}

async function fails(args: readonly string[], text: string): Promise<void> {
  const result = await box.run(args);
  expect(result.stderr).toContain(text);
  expect(result.status).toBe(1);
}

describe("a running container", () => {
  test("stands still from the moment that pause returns, and goes on after resume", () =>
    withCounter(async (id, count) => {
      await box.ok(["pause", id]);
      const before = count();
      expect(await readStatus(box, id)).toBe("paused");
      await Bun.sleep(300);
      expect(count()).toBe(before);
      await box.ok(["resume", id]);
      expect(await readStatus(box, id)).toBe("running");
      await waitFor("more counts", () => count() > before + 5);
    }));

  test("makes a process of exec wait too", () =>
    withCounter(async (id) => {
      await box.ok(["pause", id]);
      const joined = box.start(["exec", "--ignore-paused", id, "echo", "thawed"]);
      await Bun.sleep(300);
      expect(joined.stdout()).toBe("");
      await box.ok(["resume", id]);
      expect(await joined.result).toMatchObject({ status: 0, stdout: "thawed\n" });
    }));

  test("gets a signal of the pause when it is resumed", () =>
    withCounter(async (id) => {
      await box.ok(["pause", id]);
      await box.ok(["kill", id, "USR1"]);
      expect(await readStatus(box, id)).toBe("paused");
      await box.ok(["resume", id]);
      // Init of a pid namespace without a handler ignores it.
      expect(await readStatus(box, id)).toBe("running");
    }));

  test("dies of SIGKILL though it is paused", () =>
    withCounter(async (id) => {
      await box.ok(["pause", id]);
      await box.ok(["kill", id, "KILL"]);
      await waitFor("its end", async () => (await readStatus(box, id)) === "stopped");
    }));

  test("cannot be resumed unless paused, nor paused twice, nor deleted while paused", () =>
    withCounter(async (id) => {
      await fails(["resume", id], "container not paused");
      await box.ok(["pause", id]);
      await fails(["pause", id], "container not running");
      await fails(["delete", id], `cannot delete container ${id} that is not stopped: paused`);
      await box.ok(["resume", id]);
      await fails(["resume", id], "container not paused");
    }));
});

test("a created container is paused before its start, which waits for resume", async () => {
  const id = box.id();
  await box.ok(["create", "--bundle", box.bundle(["sleep", "100"]).directory, id]);
  await fails(["resume", id], "container not paused");
  await box.ok(["pause", id]);
  expect(await readStatus(box, id)).toBe("paused");
  await fails(["start", id], "cannot start a container in the paused state");
  await box.ok(["resume", id]);
  expect(await readStatus(box, id)).toBe("created");
  await box.ok(["start", id]);
  await box.ok(["delete", "--force", id]);
});

test("a stopped container, and one that does not exist", async () => {
  const id = box.id();
  await fails(["pause", id], "container does not exist");
  await fails(["resume", id], "container does not exist");
  await box.ok(["run", "--detach", "--bundle", box.bundle(["true"]).directory, id]);
  await waitFor("its end", async () => (await readStatus(box, id)) === "stopped");
  await fails(["pause", id], "container not running");
  await fails(["resume", id], "container not paused");
  await box.ok(["delete", id]);
});
