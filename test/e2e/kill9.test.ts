// tsrunc itself is killed with SIGKILL at any moment of any command: `delete --force` then removes all that is left.
import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { startCommand } from "./command.ts";
import { executable, isPeer, openSandbox } from "./harness.ts";

const box = openSandbox("kill9");
const ours = test.skipIf(isPeer);

/** How long one undisturbed command takes, in milliseconds: the least of five, since a machine may be busy for a moment. */
async function measure(run: () => Promise<number>): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < 5; i += 1) times.push(await run());
  return Math.min(...times);
}

async function time(words: readonly string[]): Promise<number> {
  const start = performance.now();
  await box.ok(words);
  return performance.now() - start;
}

/** Starts the command and kills it after the delay; returns whether it was still running. */
async function cutShort(words: readonly string[], delay: number): Promise<boolean> {
  const started = box.start(words);
  await Bun.sleep(delay);
  const running = started.child.exitCode === null && started.child.signalCode === null;
  started.child.kill("SIGKILL");
  await started.result;
  return running;
}

/** Removes what is left and expects that the host is clean, within the three seconds that a dead owner's lock may hold. */
async function expectRemoval(id: string): Promise<void> {
  const start = performance.now();
  await box.ok(["delete", "--force", id]);
  expect(performance.now() - start).toBeLessThan(4000);
  expect(existsSync(join(box.root, id))).toBe(false);
  let left = box.leftovers();
  for (let tries = 0; tries < 40 && left.length > 0; tries += 1) {
    await Bun.sleep(50);
    left = box.leftovers();
  }
  expect(left).toEqual([]);
}

const moments = 25;

for (const command of ["create", "run", "run -d"]) {
  ours(`${command}, at ${moments} moments`, async () => {
    const bundle = box.bundle(["sleep", "100"]);
    const quick = box.bundle(["true"]);
    const whole = await measure(async () => {
      const probe = box.id();
      const took = await time([...command.split(" "), "--bundle", quick.directory, probe]);
      await box.ok(["delete", "--force", probe]);
      return took;
    });
    let cut = 0;
    for (let i = 0; i < moments; i += 1) {
      const id = box.id();
      if (
        await cutShort([...command.split(" "), "--bundle", bundle.directory, id], (whole * 1.1 * i) / moments)
      )
        cut += 1;
      await expectRemoval(id);
    }
    expect(cut).toBeGreaterThan(moments / 2);
  });
}

for (const command of ["start", "delete --force", "kill", "exec"]) {
  ours(`${command}, at ${moments} moments`, async () => {
    const bundle = box.bundle(["sleep", "100"]);
    const words = (id: string): string[] => [
      ...command.split(" "),
      id,
      ...(command === "exec" ? ["sleep", "50"] : command === "kill" ? ["KILL"] : []),
    ];
    const probe = async (): Promise<number> => {
      const id = box.id();
      await box.ok(["create", "--bundle", bundle.directory, id]);
      const took = await time(words(id));
      await box.ok(["delete", "--force", id]);
      return took;
    };
    const whole = command === "exec" ? 40 : await measure(probe);
    for (let i = 0; i < moments; i += 1) {
      const id = box.id();
      await box.ok(["create", "--bundle", bundle.directory, id]);
      await cutShort(words(id), (whole * 1.1 * i) / moments);
      await expectRemoval(id);
    }
  });
}

ours("a new create of the same id after a killed one works once the old is deleted", async () => {
  const bundle = box.bundle(["sleep", "100"]);
  const id = box.id();
  for (let i = 1; i < 8; i += 1) {
    await cutShort(["create", "--bundle", bundle.directory, id], i * 4);
    await box.ok(["delete", "--force", id]);
    await box.ok(["create", "--bundle", bundle.directory, id]);
    await box.ok(["delete", "--force", id]);
  }
});

ours("the next command waits at most three seconds for a lock whose owner is dead", async () => {
  const bundle = box.bundle(["sleep", "100"]);
  for (const delay of [5, 10, 15, 20, 25]) {
    const id = box.id();
    await cutShort(["create", "--bundle", bundle.directory, id], delay);
    const start = performance.now();
    await box.run(["state", id]);
    await box.run(["kill", id, "KILL"]);
    await box.ok(["delete", "--force", id]);
    expect(performance.now() - start).toBeLessThan(4000);
  }
});

test("a caller that is killed with its whole group does not take a detached container along", async () => {
  const id = box.id();
  const bundle = box.bundle(["sleep", "100"]);
  const script = `exec "$@"`;
  const started = startCommand(box.directory, [
    "setsid",
    "sh",
    "-c",
    script,
    "sh",
    executable,
    "--root",
    box.root,
    "run",
    "-d",
    "--bundle",
    bundle.directory,
    id,
  ]);
  const result = await started.result;
  expect(result.status).toBe(0);
  if (started.child.pid !== undefined) Bun.spawnSync(["kill", "-KILL", "--", `-${started.child.pid}`]);
  expect((await box.ok(["exec", id, "echo", "alive"])).stdout).toBe("alive\n");
  await box.ok(["delete", "--force", id]);
});
