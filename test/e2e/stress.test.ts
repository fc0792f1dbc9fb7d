// Many containers at once, and many in a row: nothing fails and nothing grows.
import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { openSandbox } from "./harness.ts";

const box = openSandbox("stress");

/** How many rounds: all of 1,000 where the executable is fast enough, else as many as fit into the time. */
const rounds = Number(process.env.STRESS_ROUNDS ?? 1000);

interface Counts {
  mounts: number;
  cgroups: number;
  descriptors: number;
  processes: number;
  files: number;
}

/** Counts what could grow. Mounts and processes of other programs come and go: so the test allows a few. */
function takeCounts(): Counts {
  const groups = readFileSync("/proc/cgroups", "utf8").trim().split("\n").slice(1);
  return {
    mounts: readFileSync("/proc/self/mountinfo", "utf8").split("\n").length,
    cgroups: Math.max(...groups.map((line) => Number(line.split("\t")[2]))),
    descriptors: Number(readFileSync("/proc/sys/fs/file-nr", "utf8").split("\t")[0]),
    processes: readdirSync("/proc").filter((name) => /^\d+$/.test(name)).length,
    files: readdirSync(box.directory).length,
  };
}

test("fifty containers run side by side", async () => {
  const jobs = Array.from({ length: 50 }, (_, i) => {
    const bundle = box.bundle(["sh", "-c", `echo ${i}; sleep 0.2; exit ${i}`]);
    return box.run(["run", "--bundle", bundle.directory, box.id()], { timeout: 60_000 });
  });
  const results = await Promise.all(jobs);
  expect(results.map((r) => r.stderr).filter((text) => text !== "")).toEqual([]);
  expect(results.map((r) => r.status)).toEqual(results.map((_, i) => i));
  expect(results.map((r) => r.stdout)).toEqual(results.map((_, i) => `${i}\n`));
});

test("fifty are created, started, entered, killed and deleted side by side", async () => {
  const ids = Array.from({ length: 50 }, () => box.id());
  const bundle = box.bundle(["sleep", "100"]);
  for (const words of [
    ["create", "--bundle", bundle.directory],
    ["start"],
    ["exec"],
    ["kill"],
    ["delete", "--force"],
  ]) {
    const tail = words[0] === "exec" ? ["true"] : words[0] === "kill" ? ["KILL"] : [];
    const results = await Promise.all(ids.map((id) => box.run([...words, id, ...tail], { timeout: 60_000 })));
    expect({ command: words[0], bad: results.filter((r) => r.status !== 0).map((r) => r.stderr) }).toEqual({
      command: words[0],
      bad: [],
    });
  }
});

test(`${rounds} times create, start and delete in a row leave nothing`, async () => {
  const bundle = box.bundle(["true"]);
  const round = async (): Promise<void> => {
    const id = box.id();
    await box.ok(["create", "--bundle", bundle.directory, id]);
    await box.ok(["start", id]);
    await box.ok(["delete", "--force", id]);
  };
  for (let i = 0; i < 5; i += 1) await round();
  const before = takeCounts();
  const start = Date.now();
  for (let i = 0; i < rounds; i += 1) await round();
  process.stderr.write(`stress: ${((Date.now() - start) / rounds).toFixed(1)} ms a round\n`);
  // The kernel frees a cgroup and its mounts after a while.
  let after = takeCounts();
  for (let tries = 0; tries < 50 && after.cgroups > before.cgroups + 20; tries += 1) {
    await Bun.sleep(100);
    after = takeCounts();
  }
  expect(after.mounts).toBeLessThan(before.mounts + 20);
  expect(after.cgroups).toBeLessThan(before.cgroups + 40);
  expect(after.descriptors).toBeLessThan(before.descriptors + 500);
  expect(after.processes).toBeLessThan(before.processes + 50);
  expect(after.files).toBe(before.files);
  expect(readdirSync(box.root)).toEqual([]);
}, 300_000);
