// Signals to `run` and `exec` in the foreground while there is no process yet that could get them.
import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { dropNamespace } from "./config.ts";
import { isPeer, openSandbox, type Result, type Started, waitFor } from "./harness.ts";
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

describe("real-time signals", () => {
  const script = (signal: number): string =>
    `trap 'echo got; exit 7' ${signal}; trap 'echo term; exit 8' TERM; echo ready; while :; do sleep 0.05; done`;
  /** Sends the signal again until it is taken: one that comes too early is ignored. */
  const send = async ({ child, stdout, result }: Started, signal: number): Promise<Result> => {
    await waitFor("the trap", () => stdout().includes("ready"));
    await waitFor("the signal", async () => {
      process.kill(child.pid as number, signal);
      await Bun.sleep(50);
      return stdout().includes("got");
    });
    return await result;
  };
  for (const signal of [34, 37, 64])
    test(`${signal} to run is passed on`, async () => {
      const { directory } = box.bundle(["sh", "-c", script(signal)]);
      const result = await send(box.start(["run", "--bundle", directory, box.id()]), signal);
      expect(result).toMatchObject({ status: 7, stdout: "ready\ngot\n", stderr: "" });
    });
  test("37 to exec is passed on", async () => {
    const id = box.id();
    await box.ok(["run", "-d", "--bundle", box.bundle(["sleep", "100"]).directory, id]);
    const result = await send(box.start(["exec", id, "sh", "-c", script(37)]), 37);
    expect(result).toMatchObject({ status: 7, stdout: "ready\ngot\n", stderr: "" });
    await box.ok(["delete", "--force", id]);
  });
  test("during a hook they harm nobody", async () => {
    const { started, done } = await startHook("exit 0");
    process.kill(started.child.pid as number, 37);
    await Bun.sleep(100);
    process.kill(started.child.pid as number, 64);
    await waitFor("the hook", () => existsSync(done));
    started.child.kill("SIGTERM");
    await started.result; // whatever the program has got
  });
  ours("reach neither a descriptor of the caller's under that number nor kill run", async () => {
    const file = join(box.directory, "descriptor-37");
    const { directory } = box.bundle(["sh", "-c", script(38)]);
    const prefix = ["bash", "-c", `exec 37>${file}; exec "$@"`, "bash"];
    const started = box.start(["run", "--preserve-fds", "35", "--bundle", directory, box.id()], { prefix });
    await waitFor("the trap", () => started.stdout().includes("ready"));
    await Bun.sleep(200);
    process.kill(started.child.pid as number, 37);
    expect((await send(started, 38)).status).toBe(7);
    expect(readFileSync(file)).toHaveLength(0);
  });
  ours("are the default again in hooks and in the program", async () => {
    const file = join(box.directory, "hook-status");
    const { directory } = box.bundle(["cat", "/proc/self/status"], (config) =>
      setHooks(config, { createRuntime: [sh(`cat /proc/self/status >${file}`)] }),
    );
    const { stdout } = await box.ok(["run", "--bundle", directory, box.id()]);
    for (const status of [stdout, readFileSync(file, "utf8")])
      expect(status).toMatch(/SigIgn:\t0{16}\nSigCgt:\t0{16}/);
  });
});
