// Callers whose surroundings are odd: few descriptors, a full disk; and configs that are larger than most.
import { expect, test } from "bun:test";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isPeer, openSandbox, readStatus } from "./harness.ts";

const box = openSandbox("caller");
const ours = test.skipIf(isPeer);

async function start(): Promise<string> {
  const id = box.id();
  await box.ok(["run", "--detach", "--bundle", box.bundle(["sleep", "1000"]).directory, id]);
  return id;
}

ours("a process that cannot be looked at for want of descriptors is not taken for ended", async () => {
  const id = await start();
  const told: Record<string, boolean> = {};
  for (const words of [
    ["kill", id, "CONT"],
    ["exec", id, "true"],
    ["delete", id],
  ])
    for (let limit = 6; limit <= 14; limit++) {
      const prefix = ["sh", "-c", `ulimit -n ${limit}; exec "$@"`, "sh"];
      const { stderr } = await box.run(words, { prefix });
      expect(stderr).not.toMatch(/not running|stopped container|does not exist/);
      if (/too many open files/i.test(stderr)) told[words[0] as string] = true;
    }
  expect(told).toMatchObject({ kill: true, exec: true });
  expect(await readStatus(box, id)).toBe("running");
  await box.ok(["delete", "--force", id]);
});

for (const words of [["features"], ["spec", "--help"], ["--version"]])
  ours(`${words.join(" ")} tells that stdout is full`, async () => {
    const prefix = ["sh", "-c", 'exec "$@" >/dev/full', "sh"];
    const result = await box.run(words, { prefix });
    expect(result.status).toBe(1);
    expect(result.stderr).toContain("write to stdout: no space left on device");
  });

test("kill with signal 0 asks whether the container runs; an empty signal is the default one", async () => {
  const id = await start();
  await box.ok(["kill", id, "0"]);
  expect(await readStatus(box, id)).toBe("running");
  const other = box.id();
  const bundle = box.bundle(["sh", "-c", "trap 'exit 9' TERM; while :; do sleep 0.1; done"]);
  const run = box.start(["run", "--bundle", bundle.directory, other]);
  for (let tries = 0; tries < 100 && (await readStatus(box, other)) !== "running"; tries++)
    await Bun.sleep(20);
  await Bun.sleep(100); // until the trap is set
  await box.ok(["kill", other, ""]);
  expect((await run.result).status).toBe(9);
  await box.ok(["kill", id, "KILL"]);
  for (let tries = 0; tries < 100 && (await readStatus(box, id)) !== "stopped"; tries++) await Bun.sleep(20);
  expect((await box.run(["kill", id, "0"])).stderr).toContain("container not running");
  await box.ok(["delete", id]);
});

test("a bundle that is found through a symbolic link is known by its own path", async () => {
  const id = box.id();
  const { directory } = box.bundle(["sleep", "1000"]);
  mkdirSync(join(box.directory, "links"));
  const link = join(box.directory, "links/bundle");
  symlinkSync(directory, link);
  await box.ok(["create", "--bundle", link, id]);
  expect(JSON.parse((await box.ok(["state", id])).stdout)).toMatchObject({ bundle: directory });
  await box.ok(["delete", "--force", id]);
});

ours("a config of many thousand steps is done in several batches", async () => {
  const bundle = box.bundle(["sh", "-c", "cat /masked/0 /masked/1999; ls -l /dev/node1999"], (config) => {
    config.linux.maskedPaths = Array.from({ length: 2000 }, (_, i) => `/masked/${i}`);
    config.linux.devices = Array.from({ length: 2000 }, (_, i) => ({
      path: `/dev/node${i}`,
      type: "c",
      major: 1,
      minor: i,
    }));
  });
  mkdirSync(join(bundle.rootfs, "masked"));
  for (let i = 0; i < 2000; i++) writeFileSync(join(bundle.rootfs, "masked", String(i)), "not seen\n");
  const result = await box.ok(["run", "--bundle", bundle.directory, box.id()]);
  expect(result.stdout).toMatch(/^c.* 1, 1999 .*\/dev\/node1999\n$/);
});
