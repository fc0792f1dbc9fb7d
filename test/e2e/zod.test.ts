// Loading zod and making the schemas costs more than all else that reading a config does: only a config that the compiled
// checkers refuse (scripts/compile-schemas.ts) may do it.
import { expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Config, makeConfig } from "./config.ts";
import { ENGINE_CONFIGS } from "./engine-config.ts";
import { isPeer, openSandbox, type Result } from "./harness.ts";

const box = openSandbox("zod");

/** Runs a command that says at its end on stderr whether zod has run: zod's core leaves its settings in the global object. */
async function runAndTell(args: readonly string[]): Promise<Result & { readonly tells: string | undefined }> {
  const script = join(box.directory, "tell.cjs");
  writeFileSync(
    script,
    `process.on("exit", () => {
      const tells = "__zod_globalConfig" in globalThis ? "with zod" : "without zod";
      require("node:fs").writeSync(2, tells + "\\n");
    });`,
  );
  const result = await box.run(args, { env: { BUN_OPTIONS: `--preload=${script}` } });
  return { ...result, tells: /with(?:out)? zod$/m.exec(result.stderr)?.[0] };
}

function makeBundle(name: string, change?: (config: Config) => void): string {
  return box.bundle(["true"], (config) => {
    Object.assign(config, ENGINE_CONFIGS[name]?.(["true"], join(box.directory, "sources")));
    change?.(config);
  }).directory;
}

for (const name of ["minimal", "docker"])
  test.skipIf(isPeer)(`${name}: every command on a good config runs without zod`, async () => {
    const bundle = makeBundle(name);
    const id = box.id();
    for (const args of [
      ["run", "--bundle", bundle, box.id()],
      ["create", "--bundle", bundle, id],
      ["start", id],
      ["delete", "--force", id],
      ["features"],
    ])
      expect(await runAndTell(args)).toMatchObject({ status: 0, tells: "without zod" });
  });

test.skipIf(isPeer)("exec and update too", async () => {
  const id = box.id();
  const bundle = box.bundle(["sleep", "1000"]).directory;
  await box.ok(["run", "--detach", "--bundle", bundle, id]);
  const { process } = makeConfig(["true"]);
  const [processFile, resourcesFile] = [join(box.directory, "process"), join(box.directory, "resources")];
  writeFileSync(processFile, JSON.stringify(process));
  writeFileSync(resourcesFile, '{"pids":{"limit":100}}');
  for (const args of [
    ["exec", "--process", processFile, id],
    ["update", "--resources", resourcesFile, id],
  ])
    expect(await runAndTell(args)).toMatchObject({ status: 0, tells: "without zod" });
  await box.ok(["delete", "--force", id]);
});

test.skipIf(isPeer)(
  "a bad config is told with zod's findings, and a rare member is read with zod",
  async () => {
    const bad = makeBundle("minimal", (config) =>
      Object.assign(config, { hostname: 1, annotations: { a: 2 } }),
    );
    const { status, stderr, tells } = await runAndTell(["run", "--bundle", bad, box.id()]);
    expect({ status, tells }).toEqual({ status: 1, tells: "with zod" });
    expect(stderr).toContain(
      "config.json: hostname: must be a string, not 1; annotations.a: must be a string, not 2",
    );
    const rare = makeBundle("minimal", (config) => Object.assign(config.linux, { netDevices: {} }));
    expect(await runAndTell(["run", "--bundle", rare, box.id()])).toMatchObject({
      status: 0,
      tells: "with zod",
    });
  },
);
