// Hooks: args and env, and what a failure, a timeout and a hook that behaves badly do.
import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isPeer, openSandbox, readStatus, waitFor } from "./harness.ts";
import { setHooks, sh } from "./hooks.ts";
import { runLogged } from "./log.ts";

const box = openSandbox("hooks-failures");
const ours = test.skipIf(isPeer);

describe("args and env", () => {
  test("args are the whole argv, env is exact", async () => {
    const bundle = box.bundle(["true"]);
    const file = join(bundle.directory, "env");
    const script = join(bundle.directory, "hook");
    writeFileSync(
      script,
      `#!/bin/busybox sh\ncat /proc/$$/cmdline | tr '\\0' '|' >${file}\n/bin/busybox env >>${file}\n`,
      { mode: 0o755 },
    );
    bundle.edit((config) => {
      setHooks(config, {
        createRuntime: [
          { path: "/bin/busybox", args: ["sh", script, "one", "two words"], env: ["ONLY=this"] },
        ],
      });
    });
    await box.ok(["run", "--bundle", bundle.directory, box.id()], { env: { LEAK: "1" } });
    const text = readFileSync(file, "utf8");
    expect(text).toMatch("one|two words|");
    expect(text).toMatch("ONLY=this");
    expect(text).not.toMatch("LEAK");
    expect(text).not.toMatch("NODE_");
  });
  ours("without env it is empty", async () => {
    const bundle = box.bundle(["true"]);
    const file = join(bundle.directory, "env");
    bundle.edit((config) => {
      setHooks(config, { createRuntime: [sh(`cat /proc/$$/environ >${file}`)] });
    });
    await box.ok(["run", "--bundle", bundle.directory, box.id()]);
    expect(readFileSync(file, "utf8")).toBe("");
  });
  test("a relative path is refused", async () => {
    const result = await box.look(["true"], (config) =>
      setHooks(config, { createRuntime: [{ path: "bin/true" }] }),
    );
    expect(result.status).toBe(1);
  });
});

describe("a failure", () => {
  for (const kind of ["prestart", "createRuntime", "createContainer"] as const) {
    test(`of ${kind} fails create with its output, and nothing is left`, async () => {
      const id = box.id();
      const bundle = box.bundle(["true"], (config) =>
        setHooks(config, { [kind]: [sh("true"), sh("echo to out; echo to err >&2; exit 3")] }),
      );
      const result = await box.run(["create", "--bundle", bundle.directory, id]);
      expect(result.status).toBe(1);
      expect(result.stderr).toMatch(/exit status 3, stdout: to out.*stderr: to err/s);
      if (!isPeer)
        expect(result.stderr).toMatch(`error running ${kind} hook #1: exit status 3, stdout: to out`);
      expect((await box.run(["state", id])).stderr).toMatch("container does not exist");
    });
  }
  ours("of startContainer fails start with its text", async () => {
    const id = box.id();
    const bundle = box.bundle(["touch", "/ran"], (config) =>
      setHooks(config, { startContainer: [sh("exit 4")] }),
    );
    await box.ok(["create", "--bundle", bundle.directory, id]);
    const result = await box.run(["start", id]);
    expect(result.status).toBe(1);
    expect(result.stderr).toMatch("error running startContainer hook #0: exit status 4");
    await waitFor("the end", async () => (await readStatus(box, id)) === "stopped");
    expect(existsSync(join(bundle.rootfs, "ran"))).toBe(false);
    await box.ok(["delete", id]);
  });
  ours("of poststart fails start and stops the container", async () => {
    const id = box.id();
    const bundle = box.bundle(["sleep", "100"], (config) => setHooks(config, { poststart: [sh("exit 5")] }));
    await box.ok(["create", "--bundle", bundle.directory, id]);
    const result = await box.run(["start", id]);
    expect(result.status).toBe(1);
    expect(result.stderr).toMatch("error running poststart hook #0: exit status 5");
    await waitFor("the end", async () => [undefined, "stopped"].includes(await readStatus(box, id)));
    await box.ok(["delete", "--force", id]);
  });
  ours("of poststop is a warning, and the further ones still run", async () => {
    const bundle = box.bundle(["true"]);
    const file = join(bundle.directory, "second");
    bundle.edit((config) => setHooks(config, { poststop: [sh("exit 6"), sh(`touch ${file}`)] }));
    const result = await runLogged(box, bundle);
    expect(result.status).toBe(0);
    expect(existsSync(file)).toBe(true);
    const [warning] = result.log.filter(({ level }) => level === "warning");
    expect(warning?.msg).toContain("poststop hook #0: exit status 6");
  });
  test("to be found names the hook", async () => {
    const result = await box.look(["true"], (config) =>
      setHooks(config, { createRuntime: [{ path: "/no/such/hook" }] }),
    );
    expect(result.status).toBe(1);
    expect(result.stderr).toMatch(/\/no\/such\/hook.*no such file or directory/);
  });
  ours("by a signal names the signal", async () => {
    const result = await box.look(["true"], (config) =>
      setHooks(config, { createRuntime: [sh("kill -SEGV $$")] }),
    );
    expect(result.stderr).toMatch(/error running createRuntime hook #0: signal: segmentation fault/);
  });
});

describe("a timeout", () => {
  test("kills the hook and fails create", async () => {
    const start = Date.now();
    const result = await box.look(["true"], (config) =>
      setHooks(config, { createRuntime: [{ path: "/bin/sleep", args: ["sleep", "30"], timeout: 1 }] }),
    );
    expect(result.status).toBe(1);
    expect(Date.now() - start).toBeLessThan(10_000);
  });
  ours("kills the whole group, a child that ignores SIGTERM too", async () => {
    const marker = join(box.directory, "grandchild");
    const script = `trap '' TERM; (trap '' TERM; echo $$ >${marker}.pid; sleep 3; touch ${marker}) & sleep 30`;
    const result = await box.look(["true"], (config) =>
      setHooks(config, { createRuntime: [sh(script, { timeout: 1 })] }),
    );
    expect(result.status).toBe(1);
    await Bun.sleep(3000);
    expect(existsSync(marker)).toBe(false);
  });
  for (const kind of ["createContainer", "startContainer"] as const)
    ours(`holds for ${kind}`, async () => {
      const start = Date.now();
      const result = await box.look(["true"], (config) =>
        setHooks(config, { [kind]: [sh("sleep 30", { timeout: 1 })] }),
      );
      expect(result.status).toBe(1);
      expect(Date.now() - start).toBeLessThan(10_000);
    });
});

ours("a hook's huge output neither blocks nor floods the error", async () => {
  const result = await box.look(
    ["true"],
    (config) => setHooks(config, { createRuntime: [sh("yes | head -c 100000000; exit 1")] }),
    { timeout: 30_000 },
  );
  expect(result.status).toBe(1);
  expect(result.stderr.length).toBeLessThan(100_000);
});

test("a hook that does not read the state is no failure", async () => {
  const result = await box.look(["true"], (config) => {
    config.annotations = { large: "x".repeat(300_000) };
    setHooks(config, { createRuntime: [sh("exit 0")] });
  });
  expect(result.status).toBe(0);
});

ours("a hook that leaves a daemon with its output open does not block create", async () => {
  const start = Date.now();
  const result = await box.look(["true"], (config) =>
    setHooks(config, { createRuntime: [sh("cd /; setsid sleep 8 & exit 0")] }),
  );
  expect(result.status).toBe(0);
  expect(Date.now() - start).toBeLessThan(7000);
});
