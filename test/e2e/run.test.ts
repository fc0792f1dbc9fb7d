// `run`: exit statuses, signals, detaching, the pid file, the log file.
import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { dropNamespace } from "./config.ts";
import { isPeer, openSandbox, readStatus, waitFor } from "./harness.ts";
import { readLog, runLogged } from "./log.ts";

const box = openSandbox("run");
const ours = test.skipIf(isPeer);

describe("the exit status", () => {
  for (const status of [0, 1, 7, 126, 127, 255]) {
    test(`${status} is the process's own`, async () => {
      expect((await box.look(["sh", "-c", `exit ${status}`])).status).toBe(status);
    });
  }
  for (const [name, number] of [
    ["TERM", 15],
    ["KILL", 9],
    ["ABRT", 6],
  ] as const) {
    test(`is 128 and the number when SIG${name} ends the process`, async () => {
      // Without a pid namespace of its own: as its pid 1 the process would be immune to all but SIGKILL.
      const id = box.id();
      const { directory } = box.bundle(["sleep", "100"], (config) => dropNamespace(config, "pid"));
      const started = box.start(["run", "--bundle", directory, id]);
      await waitFor("the start", async () => (await readStatus(box, id)) === "running");
      await box.ok(["kill", id, name]);
      expect((await started.result).status).toBe(128 + number);
    });
  }
});

test("nothing but the process's own output is printed", async () => {
  const result = await box.look(["sh", "-c", "echo out; echo err >&2"]);
  expect(result).toEqual({ status: 0, signal: null, stdout: "out\n", stderr: "err\n" });
});

test("standard input is handed over", async () => {
  const result = await box.look(["cat"], undefined, { stdin: "some text" });
  expect(result.stdout).toBe("some text");
});

for (const signal of ["SIGTERM", "SIGINT", "SIGHUP", "SIGUSR1", "SIGUSR2"] as const) {
  test(`${signal} is forwarded`, async () => {
    const name = signal.slice(3);
    const script = `trap 'echo got ${name}; exit 42' ${name}; echo ready; while :; do sleep 0.05; done`;
    const started = box.start(["run", "--bundle", box.bundle(["sh", "-c", script]).directory, box.id()]);
    await waitFor("the trap", () => started.stdout().includes("ready"));
    started.child.kill(signal);
    const result = await started.result;
    expect(result.stdout).toBe(`ready\ngot ${name}\n`);
    expect(result.status).toBe(42);
  });
}

test("a stopped child does not end run", async () => {
  const id = box.id();
  const started = box.start(["run", "--bundle", box.bundle(["sleep", "0.4"]).directory, id]);
  await waitFor("the start", async () => (await readStatus(box, id)) === "running");
  const { pid } = JSON.parse((await box.ok(["state", id])).stdout) as { pid: number };
  process.kill(pid, "SIGSTOP");
  await Bun.sleep(100);
  expect(started.child.exitCode).toBe(null);
  process.kill(pid, "SIGCONT");
  expect((await started.result).status).toBe(0);
});

test("zombies that the process leaves are reaped when the container has no pid namespace", async () => {
  const script = "(sleep 0.1 &) ; sleep 0.3; exit 3";
  const result = await box.look(["sh", "-c", script], (config) => {
    config.linux.namespaces = config.linux.namespaces.filter((n) => n.type !== "pid");
  });
  expect(result.status).toBe(3);
});

test("the container is removed when its process ends", async () => {
  const id = box.id();
  await box.ok(["run", "--bundle", box.bundle(["true"]).directory, id]);
  expect((await box.run(["state", id])).stderr).toMatch("container does not exist");
});

ours("--keep leaves the stopped container", async () => {
  const id = box.id();
  await box.ok(["run", "--keep", "--bundle", box.bundle(["true"]).directory, id]);
  expect(await readStatus(box, id)).toBe("stopped");
  await box.ok(["delete", id]);
});

test("--detach returns while the process goes on", async () => {
  const id = box.id();
  await box.ok(["run", "--detach", "--bundle", box.bundle(["sleep", "100"]).directory, id]);
  expect(await readStatus(box, id)).toBe("running");
  await box.ok(["delete", "--force", id]);
});

for (const command of ["create", "run -d"]) {
  test(`${command} --pid-file writes the pid without a newline`, async () => {
    const id = box.id();
    const file = join(box.directory, `${id}.pid`);
    const { directory } = box.bundle(["sleep", "100"]);
    await box.ok([...command.split(" "), "--bundle", directory, "--pid-file", file, id]);
    const text = readFileSync(file, "utf8");
    expect(text).toMatch(/^[1-9][0-9]*$/);
    const state = JSON.parse((await box.ok(["state", id])).stdout) as { pid: number };
    expect(Number(text)).toBe(state.pid);
    await box.ok(["delete", "--force", id]);
  });
}

test("a relative --pid-file and --bundle count from the working directory", async () => {
  const id = box.id();
  const { directory } = box.bundle(["sleep", "100"]);
  await box.ok(["create", "--bundle", ".", "--pid-file", "pid", id], { cwd: directory });
  expect(existsSync(join(directory, "pid"))).toBe(true);
  await box.ok(["delete", "--force", id]);
});

describe("--log", () => {
  test("gets the error as one JSON object a line, and stderr gets it too", async () => {
    const result = await runLogged(box, box.bundle(['/no/such\n"file"\u001b[31m']));
    expect(result.status).toBe(1);
    expect(result.stderr).toMatch("no such file or directory");
    const last = result.log.at(-1);
    expect(last?.level).toBe("error");
    expect(last?.msg).toMatch("no such file or directory");
    expect(Number.isNaN(Date.parse(last?.time ?? ""))).toBe(false);
  });
  test("is appended to", async () => {
    const log = join(box.directory, "twice.json");
    for (let turn = 0; turn < 2; turn += 1)
      await box.run(["--log", log, "--log-format", "json", "state", box.id()]);
    expect(readLog(log).filter(({ level }) => level === "error").length).toBe(2);
  });
  ours("a huge argument stays one valid object", async () => {
    const result = await runLogged(box, box.bundle([`/${'x"\n'.repeat(40_000)}`]));
    expect(result.status).toBe(1);
    expect(result.log.length).toBeLessThan(3);
  });
  test("another format is refused", async () => {
    const result = await box.run(["--log-format", "xml", "list"]);
    expect(result.status).toBe(1);
    expect(result.stderr + result.stdout).toMatch(/invalid log-format|unknown log-format/);
  });
});

describe("the command line", () => {
  test("an unknown command", async () => {
    const result = await box.run(["bogus"]);
    expect(result.status).toBe(3);
    expect(result.stdout + result.stderr).toMatch("No help topic for 'bogus'");
  });
  test("an unknown flag", async () => {
    expect((await box.run(["state", "--bogus", "x"])).status).toBe(1);
  });
  test("a missing argument and one too many", async () => {
    for (const words of [["state"], ["state", "a", "b"]]) {
      const result = await box.run(words);
      expect(result.status).toBe(1);
      expect(result.stderr).toMatch("requires exactly 1 argument(s)");
    }
  });
  test("flags may follow the container's id", async () => {
    await box.ok(["delete", box.id(), "--force"]);
  });
  test("--flag=value, single-dash long flags, --version and --help", async () => {
    await box.ok(["-log-format=json", "delete", "-force", box.id()]);
    expect((await box.ok(["--version"])).stdout).toMatch(/^\S+ version \S+\n/);
    expect((await box.ok(["--help"])).stdout.length).toBeGreaterThan(100);
    for (const command of ["create", "start", "state", "kill", "delete", "run", "exec", "list", "spec"])
      expect((await box.ok([command, "--help"])).stdout).toMatch(command);
  });
});
