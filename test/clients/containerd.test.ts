// containerd with its runc shim: tasks through ctr, their states, events and exit statuses, a restart of the daemon.
import { afterEach, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Result } from "../e2e/command.ts";
import { executable, waitFor } from "../e2e/harness.ts";
import { openClient } from "./client.ts";
import { openContainerd } from "./containerd.ts";
import { image } from "./image.ts";
import { split } from "./podman.ts";

const client = openClient("containerd");
const directory = client.directory;
const { start: startDaemon, configuration, ctr, snapshotter } = openContainerd(client);
const shim = ["--runtime", "io.containerd.runc.v2", "--runc-binary", resolve(executable)];

const run = (words: string): Promise<Result> => client.run(ctr(words));
const ok = (words: string): Promise<string> => client.ok(ctr(words));

let count = 0;
const newId = (): string => {
  count += 1;
  return `ctr-${count}`;
};
/** `ctr run` with the options, the id and the container's words. */
const place = (options: string, id: string, args: string, runtime: readonly string[] = shim): string[] => [
  ...ctr("run"),
  ...runtime,
  ...["--snapshotter", snapshotter, "--cgroup", `${client.cgroup}/${id}`],
  ...split(options),
  ...[image, id],
  ...split(args),
];
const runNew = (options: string, args: string): Promise<Result> =>
  client.run(place(`--rm ${options}`, newId(), args));
/** containerd 2's ctr may lose what a process writes just before it ends, with runc too: once in 300 on a busy machine. */
const linger = "sleep 0.3";
const runScript = (options: string, script: string): Promise<Result> =>
  runNew(options, `sh -c '(${script}); status=$?; ${linger}; exit $status'`);

let daemon: Awaited<ReturnType<typeof startDaemon>>;

beforeAll(async () => {
  daemon = await startDaemon();
  await ok(`images import --snapshotter ${snapshotter} ${client.archive()}`);
});
afterEach(async () => {
  const left = await ok("containers list --quiet");
  for (const id of left.split("\n").filter((line) => line !== "")) {
    await run(`tasks delete --force ${id}`);
    await run(`containers delete ${id}`);
  }
  expect(left).toBe("");
});

const readState = async (id: string): Promise<string | undefined> =>
  (await ok("tasks list")).match(new RegExp(`^${id} +\\d+ +(\\S+)`, "m"))?.[1];
const waitForState = (id: string, state: string): Promise<boolean> =>
  waitFor(`${id} ${state}`, async () => (await readState(id)) === state);
const readPid = async (id: string): Promise<number> =>
  Number((await ok("tasks list")).match(new RegExp(`^${id} +(\\d+)`, "m"))?.[1]);

/** Deletes a stopped task; returns the exit status that ctr then tells. */
async function deleteTask(id: string): Promise<string | undefined> {
  const { stderr } = await run(`tasks delete ${id}`);
  return stderr.match(/non-zero exit code (\d+)/)?.[1];
}

/** Starts a task, hands over its id, and removes it. */
async function withTask(args: string, use: (id: string) => Promise<void>, options = ""): Promise<void> {
  const id = newId();
  await client.ok(place(`--detach ${options}`, id, args));
  try {
    await use(id);
  } finally {
    await run(`tasks delete --force ${id}`);
    await ok(`containers delete ${id}`);
  }
}

test("the CRI plugin has the runtime of README.md's configuration", async () => {
  const dump = await client.ok(["containerd", "--config", configuration, "config", "dump"]);
  expect(dump).toMatch(
    new RegExp(
      `runtimes.tsrunc.options\\]\\n +BinaryName = ['"]${resolve(executable)}['"]`.replaceAll(".", "\\."),
    ),
  );
  expect(await ok("plugins list")).toMatch(/io\.containerd\.grpc\.v1 +cri +\S+ +ok/);
});

describe("run", () => {
  test("output, standard error and exit status arrive", async () => {
    expect(await runScript("", "echo out; echo err >&2; exit 7")).toMatchObject({
      status: 7,
      stdout: "out\n",
      stderr: "err\n",
    });
  });
  test("on a terminal", async () => {
    const terminal = client.onPty(place("--rm --tty", newId(), "sh"));
    // ctr sets the size when the task runs already.
    terminal.write("tty; until test \"$(stty size)\" = '24 80'; do sleep 0.1; done; exit 5\n");
    await terminal.expect(/\/dev\/pts\/0\r/);
    await terminal.ended;
    expect(terminal.report()).toContain('"status": 5');
  });
  test("working directory, mounts, environment, read-only root, memory and cpu limits", async () => {
    const source = join(directory, "source");
    mkdirSync(source);
    writeFileSync(join(source, "file"), "from the host\n");
    const script = "pwd; cat /data/file; touch /data/new 2>&1; touch /new 2>&1; echo $COLOR";
    const { stdout } = await runScript(
      `--cwd /tmp --mount type=bind,src=${source},dst=/data,options=rbind:ro --env COLOR=red
       --read-only --memory-limit 33554432 --cpus 0.5`,
      script,
    );
    expect(stdout.split("\n")).toEqual([
      "/tmp",
      "from the host",
      "touch: /data/new: Read-only file system",
      "touch: /new: Read-only file system",
      "red",
      "",
    ]);
  });
  test("--seccomp and --cap-drop; --privileged", async () => {
    const script = "grep -e CapBnd -e Seccomp: /proc/self/status";
    expect((await runScript("--seccomp --cap-drop CAP_CHOWN", script)).stdout).toMatch(
      /^CapBnd:\t00000000a80425fa\nSeccomp:\t2\n$/,
    );
    const mount = "mount -t tmpfs none /tmp && echo mounted";
    expect(await runScript("--privileged", mount)).toMatchObject({
      status: 0,
      stdout: "mounted\n",
    });
  });
  test("with the host's network, and joined to another task's namespaces", () =>
    withTask("sleep 1000", async (id) => {
      const pid = await readPid(id);
      const { stdout } = await runScript(
        `--net-host --with-ns pid:/proc/${pid}/ns/pid --with-ns ipc:/proc/${pid}/ns/ipc`,
        "ps -o args | grep sleep; readlink /proc/self/ns/ipc; readlink /proc/self/ns/net",
      );
      const links = await client.ok(["readlink", `/proc/${pid}/ns/ipc`, "/proc/self/ns/net"]);
      expect(stdout).toContain("sleep 1000\n");
      expect(stdout.trim().split("\n").slice(-2)).toEqual(links.split("\n"));
    }));
});

describe("a task", () => {
  test("runs, executes, is paused and resumed, and is killed", () =>
    withTask("sleep 1000", async (id) => {
      expect(await readState(id)).toBe("RUNNING");
      expect(await ok(`tasks exec --exec-id one ${id} sh -c 'cat /proc/1/comm; id -u; ${linger}'`)).toBe(
        "sleep\n0",
      );
      expect((await run(`tasks exec --exec-id two --user 1000 ${id} sh -c 'id -u; exit 6'`)).status).toBe(6);
      const terminal = client.onPty(ctr(`tasks exec --exec-id three --tty ${id} sh`));
      terminal.write("tty; exit 4\n");
      await terminal.expect(/\/dev\/pts\/0/);
      await terminal.ended;
      expect(terminal.report()).toContain('"status": 4');
      await ok(`tasks exec --exec-id four --detach ${id} sleep 2000`);
      expect((await ok(`tasks ps ${id}`)).trim().split("\n")).toHaveLength(3);
      await ok(`tasks pause ${id}`);
      expect(await readState(id)).toBe("PAUSED");
      await ok(`tasks resume ${id}`);
      expect(await readState(id)).toBe("RUNNING");
      expect(await ok(`tasks metrics ${id}`)).toMatch(/pids\.current +2/);
      await ok(`tasks kill --signal SIGKILL ${id}`);
      await waitForState(id, "STOPPED");
      expect(await deleteTask(id)).toBe("137");
    }));
  test("kill --all ends every process; a signal that is caught gives the exit status", () =>
    withTask("sh -c 'trap \"exit 9\" TERM; sleep 1000 & while :; do sleep 0.1; done'", async (id) => {
      await ok(`tasks exec --exec-id one ${id} true`);
      await ok(`tasks kill --all --signal SIGTERM ${id}`);
      await waitForState(id, "STOPPED");
      expect(await deleteTask(id)).toBe("9");
    }));
  test("is stopped once its process was killed by others; further kills say so", () =>
    withTask("sleep 1000", async (id) => {
      process.kill(await readPid(id), "SIGKILL");
      await waitForState(id, "STOPPED");
      const late = await run(`tasks kill ${id}`);
      expect(late.status).toBe(1);
      expect(late.stderr).toContain("process already finished: not found");
    }));
  test("exec of what is not there fails, and the task goes on", () =>
    withTask("sleep 1000", async (id) => {
      const { status, stderr } = await run(`tasks exec --exec-id one ${id} nope`);
      expect(status).toBe(1);
      expect(stderr).toContain('exec: "nope": executable file not found in $PATH');
      expect(await readState(id)).toBe("RUNNING");
    }));
  test("attach shows what it prints", () =>
    withTask("sh -c 'while :; do echo tick; sleep 0.1; done'", async (id) => {
      const terminal = client.onPty(ctr(`tasks attach ${id}`));
      await terminal.expect(/tick/);
      terminal.close();
    }));
  test("a checkpoint is refused in words", () =>
    withTask("sleep 1000", async (id) => {
      const { status, stderr } = await run(`tasks checkpoint --image-path ${join(directory, "image")} ${id}`);
      expect(status).toBe(1);
      expect(stderr).toMatch(/checkpoint/);
      expect(stderr).toMatch(/not supported/);
      expect(await readState(id)).toBe("RUNNING");
    }));
  test("out of memory is an event, and status 137", async () => {
    const events = client.onPty(ctr("events"));
    await withTask(
      "sh -c 'sleep 1; exec dd if=/dev/zero of=/dev/null bs=64M'",
      async (id) => {
        await events.expect(new RegExp(`/tasks/oom.*"container_id":"${id}"`));
        await waitForState(id, "STOPPED");
        expect(await deleteTask(id)).toBe("137");
      },
      "--memory-limit 16777216",
    );
    events.close();
  });
  test("outlives a restart of containerd", () =>
    withTask("sleep 1000", async (id) => {
      const ended = new Promise((done) => daemon.once("exit", done));
      daemon.kill("SIGTERM");
      await ended;
      daemon = await startDaemon();
      expect(await readState(id)).toBe("RUNNING");
      expect(await ok(`tasks exec --exec-id one ${id} sh -c 'echo still; ${linger}'`)).toBe("still");
      await ok(`tasks kill --signal SIGKILL ${id}`);
      await waitForState(id, "STOPPED");
    }));
});

test("twenty at a time", async () => {
  const results = await Promise.all(
    Array.from({ length: 20 }, (_, index) => runScript("", `echo ${index}; exit ${index}`)),
  );
  expect(results.map(({ status, stdout }) => [status, stdout])).toEqual(
    results.map((_, index) => [index, `${index}\n`]),
  );
});

describe("what cannot start ends as with runc", () => {
  const peer = ["--runtime", "io.containerd.runc.v2", "--runc-binary", "/usr/sbin/runc"];
  const cases: [string, string, string, RegExp][] = [
    ["a command that is not in the path", "", "nope", /exec: "nope": executable file not found in \$PATH/],
    ["a path that is missing", "", "/nope", /exec: "\/nope": stat \/nope: no such file or directory/],
    ["a directory", "", "/etc", /exec: "\/etc": (is a directory|permission denied)/],
    ["a file that is not executable", "", "/etc/passwd", /exec: "\/etc\/passwd": permission denied/],
    ["a bad working directory", "--cwd /etc/passwd", "true", /\/etc\/passwd.*not a directory/],
    [
      "a missing mount source",
      "--mount type=bind,src=/nope,dst=/x,options=rbind",
      "true",
      /\/nope.*no such file/,
    ],
  ];
  for (const [title, options, args, pattern] of cases)
    test(title, async () => {
      const ours = await runNew(options, args);
      const theirs = await client.run(place(`--rm ${options}`, newId(), args, peer));
      expect(ours.status).toBe(theirs.status);
      expect(ours.status).toBe(1);
      expect(theirs.stderr).toMatch(pattern);
      expect(ours.stderr).toMatch(pattern);
      expect(ours.stderr).toContain("failed to create shim task: OCI runtime create failed: ");
    });
});

test("the daemon's log has no complaint about the runtime", () => {
  const log = readFileSync(join(directory, "daemon-0.log"), "utf8");
  expect(log).not.toMatch(/failed to (delete|kill|read runtime|cleanup|shutdown)[^\n]*tsrunc/);
});
