// Real attacks of a hostile image or container on the runtime and the host: whom a container, a pid, a state directory
// and a user are taken for.
import { describe, expect, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { openAttackSandbox, ours } from "./attacks.ts";
import type { Config } from "./config.ts";
import { isPeer, readStatus } from "./harness.ts";

const { box, makeTarget, runBundle } = openAttackSandbox("security-identity");

describe("identity", () => {
  test("exec --cap and spec leave the inheritable set empty (CVE-2022-29162)", async () => {
    const folder = join(box.directory, "spec");
    mkdirSync(folder);
    await box.ok(["spec", "--bundle", folder]);
    const spec = JSON.parse(readFileSync(join(folder, "config.json"), "utf8")) as Config;
    if (!isPeer) expect(spec.process.capabilities?.inheritable ?? []).toEqual([]);
    const again = await box.run(["spec", "--bundle", folder]);
    expect(again.status).toBe(1);
  });
  test("a pid that was reused is not taken for the container", async () => {
    const id = box.id();
    await box.ok(["run", "-d", "--bundle", box.bundle(["sleep", "100"]).directory, id]);
    const { pid } = JSON.parse((await box.ok(["state", id])).stdout) as { pid: number };
    // The start time in the state file, changed: as if the pid belonged to a later process.
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
    const startTime = fields[19] ?? "";
    const folder = join(box.root, id);
    const file = readdirSync(folder)
      .map((name) => join(folder, name))
      .find((name) => statSync(name).isFile() && readFileSync(name, "utf8").includes(startTime));
    if (file === undefined) throw new Error("the start time is in no file of the state directory");
    const saved = readFileSync(file, "utf8");
    writeFileSync(file, saved.replace(startTime, String(Number(startTime) - 1)));
    expect(await readStatus(box, id)).toBe("stopped");
    const kill = await box.run(["kill", id, "KILL"]);
    expect(kill.status).toBe(1);
    expect(existsSync(`/proc/${pid}`)).toBe(true);
    writeFileSync(file, saved);
    await box.ok(["delete", "--force", id]);
  });
  ours("a long environment and many mappings are handled whole (CVE-2021-43784)", async () => {
    const result = await box.look(
      ["sh", "-c", "printf %s $BIG | wc -c; wc -l </proc/self/uid_map"],
      (config) => {
        config.process.env?.push(`BIG=${"x".repeat(100_000)}`);
        config.linux.namespaces.push({ type: "user" });
        config.linux.uidMappings = Array.from({ length: 200 }, (_, i) => ({
          containerID: i * 10,
          hostID: 100000 + i * 10,
          size: 10,
        }));
        config.linux.gidMappings = config.linux.uidMappings;
      },
    );
    expect(result.stderr).toBe("");
    expect(result.stdout).toBe("100000\n200\n");
  });
});

describe("state directory", () => {
  ours("a link in the place of a container's directory is not followed", async () => {
    const target = makeTarget("state");
    const id = box.id();
    await box.ok(["list"]);
    mkdirSync(box.root, { recursive: true });
    symlinkSync(target.path, join(box.root, id));
    await box.run(["create", "--bundle", box.bundle(["true"]).directory, id]);
    await box.run(["delete", "--force", id]);
    target.check();
    rmSync(join(box.root, id), { force: true });
  });
  test("a state directory that was moved aside is absent, not misread", async () => {
    const id = box.id();
    await box.ok(["create", "--bundle", box.bundle(["true"]).directory, id]);
    renameSync(join(box.root, id), join(box.directory, "aside"));
    expect((await box.run(["state", id])).status).toBe(1);
    renameSync(join(box.directory, "aside"), join(box.root, id));
    await box.ok(["delete", "--force", id]);
  });
});

test("a rootfs that is not readable by others still works for a user", async () => {
  const bundle = box.bundle(["id", "-u"], (config) => {
    config.process.user = { uid: 1000, gid: 1000 };
  });
  chmodSync(bundle.directory, 0o700);
  expect((await runBundle(bundle)).stdout).toBe("1000\n");
});
