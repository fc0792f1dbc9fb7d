// Signals to `run` and `exec` in the foreground while there is no process yet that could get them.
import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { dropNamespace } from "./config.ts";
import { isPeer, openSandbox, type Started, waitFor } from "./harness.ts";
import { setHooks, sh } from "./hooks.ts";

const box = openSandbox("signals");
const ours = test.skipIf(isPeer);

/** `run` of `sleep 100`, which any signal ends, with a hook that takes its time; resolves while the hook runs. */
async function startHook(script: string): Promise<{ readonly started: Started; readonly done: string }> {
  const file = join(box.directory, box.id());
  const done = `${file}.done`;
  // As its pid 1 the program would be immune.
  const { directory } = box.bundle(["sleep", "100"], (config) => {
    dropNamespace(config, "pid");
    setHooks(config, { createRuntime: [sh(`touch ${file}; sleep 0.6; touch ${done}; ${script}`)] });
  });
  const started = box.start(["run", "--bundle", directory, box.id()]);
  await waitFor("the hook", () => existsSync(file));
  return { started, done };
}

describe("during a hook of run", () => {
  for (const [name, number] of [
    ["SIGTERM", 15],
    ["SIGINT", 2],
    ["SIGHUP", 1],
    ["SIGUSR1", 10],
  ] as const)
    test(`${name} waits for the program, which ends of it`, async () => {
      const { started, done } = await startHook("exit 0");
      started.child.kill(name);
      await Bun.sleep(100);
      started.child.kill(name);
      const result = await started.result;
      expect(existsSync(done)).toBe(true);
      expect({ status: result.status, signal: result.signal, stderr: result.stderr }).toEqual({
        status: 128 + number,
        signal: null,
        stderr: "",
      });
    });
  test("a signal does not keep a failed create from being undone", async () => {
    const { started, done } = await startHook("echo broken >&2; exit 3");
    started.child.kill("SIGTERM");
    const result = await started.result;
    expect(existsSync(done)).toBe(true);
    expect({ status: result.status, signal: result.signal }).toEqual({ status: 1, signal: null });
    expect(result.stderr).toContain("broken");
  });
});

describe("exec", () => {
  async function withFrozen(use: (id: string, exec: Started) => Promise<void>): Promise<void> {
    const id = box.id();
    await box.ok(["run", "-d", "--bundle", box.bundle(["sleep", "100"]).directory, id]);
    await box.ok(["pause", id]);
    const exec = box.start(["exec", "--ignore-paused", id, "touch", "/ran"]);
    try {
      await Bun.sleep(700);
      expect(exec.child.exitCode).toBe(null);
      await use(id, exec);
    } finally {
      await box.run(["delete", "--force", id]);
    }
  }
  const listExecs = async (id: string): Promise<number> =>
    JSON.parse((await box.ok(["ps", "--format", "json", id])).stdout).length - 1;

  for (const name of ["SIGINT", "SIGTERM", "SIGKILL"] as const)
    ours(`of a frozen container ends of ${name}, and nothing of it runs later`, () =>
      withFrozen(async (id, exec) => {
        exec.child.kill(name);
        const result = await exec.result;
        if (name === "SIGKILL") expect(result.signal).toBe(name);
        else expect(result).toMatchObject({ status: 255, stderr: expect.stringContaining(name) });
        await box.ok(["resume", id]);
        await waitFor("the end of init", async () => (await listExecs(id)) === 0);
        expect((await box.run(["exec", id, "ls", "/ran"])).status).toBe(1);
      }),
    );
  ours("of a frozen container goes on after resume, whatever other signals have come", () =>
    withFrozen(async (id, exec) => {
      exec.child.kill("SIGWINCH");
      await box.ok(["resume", id]);
      expect((await exec.result).status).toBe(0);
      await box.ok(["exec", id, "ls", "/ran"]);
    }),
  );
  test("leaves the container's orphans to whoever adopts them", async () => {
    const id = box.id();
    const { directory } = box.bundle(["sleep", "100"], (config) => dropNamespace(config, "pid"));
    await box.ok(["run", "-d", "--bundle", directory, id]);
    const exec = box.start(["exec", id, "sh", "-c", "(sleep 0.1 & sleep 0.1 &); echo on; sleep 1; exit 4"]);
    await waitFor("the process", () => exec.stdout() !== "");
    await Bun.sleep(500);
    const pid = exec.child.pid as number;
    const children = readdirSync(`/proc/${pid}/task`)
      .map((task) => readFileSync(`/proc/${pid}/task/${task}/children`, "utf8").trim())
      .filter((line) => line !== "");
    expect(children).toHaveLength(1);
    expect(children[0]).toMatch(/^\d+$/);
    expect((await exec.result).status).toBe(4);
    await box.ok(["delete", "--force", id]);
  });
});
