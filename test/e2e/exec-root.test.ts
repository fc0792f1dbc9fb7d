// A container in the runtime's own mount namespace: its root is that of chroot(2), also for what joins it later.
import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Config } from "./config.ts";
import { isPeer, openSandbox } from "./harness.ts";

const box = openSandbox("exec-root");
const ours = test.skipIf(isPeer); // runc and crun start no such container

function shareMounts(config: Config): void {
  config.mounts = [];
  config.linux.maskedPaths = [];
  config.linux.readonlyPaths = [];
  config.linux.namespaces = config.linux.namespaces.filter(({ type }) => type !== "mount");
}

const KINDS: Readonly<Record<string, (config: Config) => void>> = {
  root: () => {},
  "an ordinary user": (config) => {
    config.process.user = { uid: 1000, gid: 1000 };
    config.process.capabilities = {};
  },
};

for (const [name, change] of Object.entries(KINDS))
  ours(`exec is in the container's root as ${name}`, async () => {
    const id = box.id();
    const bundle = box.bundle(["sleep", "1000"], (config) => {
      shareMounts(config);
      change(config);
    });
    await box.ok(["run", "--detach", "--bundle", bundle.directory, id]);
    const listed = await box.ok(["exec", id, "sh", "-c", "ls -a / && pwd && ls -di / /.."]);
    const names = readdirSync(bundle.rootfs).sort();
    const lines = listed.stdout.trim().split("\n");
    expect(lines.slice(0, names.length + 2).sort()).toEqual([".", "..", ...names].sort());
    expect(lines[names.length + 2]).toBe("/");
    const [root, above] = lines.slice(-2).map((line) => line.trim().split(/ +/)[0]);
    expect(above).toBe(root as string);
    await box.ok(["delete", "--force", id]);
  });

ours("a startContainer hook is in the container's root", async () => {
  const id = box.id();
  const bundle = box.bundle(["true"], (config) => {
    shareMounts(config);
    config.hooks = { startContainer: [{ path: "/bin/sh", args: ["sh", "-c", "ls / > /tmp/seen"] }] };
  });
  await box.ok(["create", "--bundle", bundle.directory, id]);
  await box.ok(["start", id]);
  const seen = readFileSync(join(bundle.rootfs, "tmp/seen"), "utf8").trim().split("\n");
  expect(seen.sort()).toEqual(readdirSync(bundle.rootfs).sort());
  await box.ok(["delete", "--force", id]);
});
