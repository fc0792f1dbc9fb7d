// linux.intelRdt where there is no resctrl: a clear error, and nothing left. With one: test/host/resctrl.test.ts.
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import type { Config } from "./config.ts";
import { isPeer, openSandbox } from "./harness.ts";

const box = openSandbox("rdt");
const isMounted = / - resctrl /.test(readFileSync("/proc/self/mountinfo", "utf8"));

const ask = (config: Config): void => {
  (config.linux as { intelRdt?: unknown }).intelRdt = { closID: "gold", schemata: ["L3:0=f"] };
};

describe.skipIf(isPeer || isMounted)("without a resctrl file system", () => {
  const message = "linux.intelRdt: no resctrl file system is mounted";

  test("create, run and plan tell so", async () => {
    const bundle = box.bundle(["true"], ask);
    for (const command of ["create", "run", "plan"]) {
      const result = await box.run([command, "--bundle", bundle.directory, box.id()]);
      expect(result.status).toBe(1);
      expect(result.stderr).toContain(message);
    }
  });

  test("update tells so, and changes nothing", async () => {
    const bundle = box.bundle(["true"], (config) => {
      config.linux.resources = { ...config.linux.resources, pids: { limit: 9 } };
    });
    const id = box.id();
    await box.ok(["create", "--bundle", bundle.directory, id]);
    const readLimit = async () =>
      JSON.parse((await box.ok(["events", "--stats", id])).stdout).data.pids.limit;
    const result = await box.run(["update", "--pids-limit", "5", "--l3-cache-schema", "L3:0=f", id]);
    expect(result.status).toBe(1);
    expect(result.stderr).toContain(message);
    expect(await readLimit()).toBe(9);
    await box.ok(["delete", "--force", id]);
  });
});

describe.skipIf(isPeer)("features", () => {
  test("say what is there", async () => {
    const features = JSON.parse((await box.ok(["features"])).stdout) as { linux: { intelRdt: unknown } };
    expect(features.linux.intelRdt).toEqual({ enabled: true, schemata: true, monitoring: true });
  });
});
