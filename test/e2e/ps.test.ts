// ps, and kill --all: which processes are a container's.
import { describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { openSandbox, readStatus, waitFor } from "./harness.ts";

const box = openSandbox("ps");

/** Two processes: sh and its sleep. */
const FAMILY = ["sh", "-c", "sleep 100; true"];

async function withContainer(args: readonly string[], use: (id: string) => Promise<void>): Promise<void> {
  const id = box.id();
  await box.ok(["run", "--detach", "--bundle", box.bundle(args).directory, id]);
  try {
    await use(id);
  } finally {
    await box.ok(["delete", "--force", id]);
  }
}

async function readPids(id: string): Promise<number[]> {
  return JSON.parse((await box.ok(["ps", "--format", "json", id])).stdout) as number[];
}

async function readInit(id: string): Promise<number> {
  return (JSON.parse((await box.ok(["state", id])).stdout) as { pid: number }).pid;
}

/** Moves a process of the host into every cgroup that the container's first process is in. */
function moveIntoCgroup(pid: number, init: number): void {
  for (const line of readFileSync(`/proc/${init}/cgroup`, "utf8").trim().split("\n")) {
    const [, controllers = "", path = ""] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    const folder = controllers === "" ? "unified" : controllers.replace(/^name=/, "");
    const isV2 = readFileSync(`/proc/${init}/cgroup`, "utf8").startsWith("0::");
    writeFileSync(`/sys/fs/cgroup${isV2 ? "" : `/${folder}`}${path}/cgroup.procs`, String(pid));
  }
}

describe("ps", () => {
  test("--format json: the pids of all processes, on the host", () =>
    withContainer(FAMILY, async (id) => {
      const pids = await waitFor("both processes", async () => {
        const found = await readPids(id);
        return found.length === 2 ? found : undefined;
      });
      expect(pids).toContain(await readInit(id));
      const names = pids.map((pid) => readFileSync(`/proc/${pid}/comm`, "utf8").trim());
      expect(names.sort()).toEqual(["sh", "sleep"]);
      expect((await box.ok(["ps", "-f", "json", id])).stdout).toMatch(/^\[\d+,\d+\]\n$/);
    }));

  test("a table: the host's ps -ef, these processes alone", () =>
    withContainer(["sleep", "4711"], async (id) => {
      const pid = await readInit(id);
      const [header, ...lines] = (await box.ok(["ps", id])).stdout.trimEnd().split("\n");
      expect(header).toMatch(/^UID +PID +PPID +C +STIME +TTY +TIME +CMD$/);
      expect(lines).toEqual([expect.stringMatching(new RegExp(`^root +${pid} .* sleep 4711$`))]);
    }));

  test("a table with the options that are given", () =>
    withContainer(["sleep", "4711"], async (id) => {
      const pid = await readInit(id);
      const look = async (...args: string[]): Promise<string> => (await box.ok(["ps", id, ...args])).stdout;
      expect(await look("-eo", "pid,args")).toMatch(new RegExp(`^ +PID COMMAND\n *${pid} sleep 4711\n$`));
      expect(await look("aux")).toMatch(new RegExp(`^USER +PID .*\nroot +${pid} .* sleep 4711\n$`));
      // Threads in lines of their own, without a pid.
      expect((await look("axm")).trimEnd().split("\n")).toHaveLength(3);
    }));

  test("what ps refuses is told, and a table without pids cannot be used", () =>
    withContainer(["sleep", "100"], async (id) => {
      const bogus = await box.run(["ps", id, "--bogus"]);
      expect(bogus.status).toBe(1);
      expect(bogus.stderr).toMatch(/exit status 1: error: unknown gnu long option/);
      const bare = await box.run(["ps", id, "-eo", "args"]);
      expect(bare).toMatchObject({ status: 1, stdout: "" });
      expect(bare.stderr).toContain("couldn't find PID field in ps output");
      expect(await box.run(["ps", "-f", "xml", id])).toMatchObject({ status: 1 });
      const absent = await box.run(["ps", id], { env: { PATH: "/nowhere" } });
      expect(absent.stderr).toContain("executable file not found in $PATH");
    }));

  test("in every status", async () => {
    const id = box.id();
    const absent = await box.run(["ps", id]);
    expect(absent.status).toBe(1);
    expect(absent.stderr).toContain("container does not exist");
    await box.ok(["create", "--bundle", box.bundle(["sleep", "100"]).directory, id]);
    expect(await readPids(id)).toEqual([await readInit(id)]);
    await box.ok(["start", id]);
    await box.ok(["pause", id]);
    expect(await readPids(id)).toEqual([await readInit(id)]);
    await box.ok(["kill", id, "KILL"]);
    await waitFor("its end", async () => (await readStatus(box, id)) === "stopped");
    expect((await box.ok(["ps", "-f", "json", id])).stdout).toBe("null\n");
    expect((await box.ok(["ps", id])).stdout.trimEnd().split("\n")).toHaveLength(1);
    await box.ok(["delete", id]);
  });
});

describe("kill --all", () => {
  test("reaches processes that the first one's end does not", () =>
    withContainer(FAMILY, async (id) => {
      const stranger = Bun.spawn(["sleep", "100"]);
      try {
        moveIntoCgroup(stranger.pid, await readInit(id));
        expect(await readPids(id)).toContain(stranger.pid);
        await box.ok(["kill", "--all", id, "KILL"]);
        await stranger.exited;
        expect(stranger.signalCode).toBe("SIGKILL");
        await waitFor("its end", async () => (await readStatus(box, id)) === "stopped");
      } finally {
        stranger.kill("SIGKILL");
      }
    }));

  test("sends other signals to all, of a paused container after resume", () =>
    withContainer(
      ["sh", "-c", "trap 'echo one >>/got' USR1; while true; do sleep 0.01; done"],
      async (id) => {
        const other = box.start([
          "exec",
          id,
          "sh",
          "-c",
          "trap 'exit 7' USR1; touch /ready; while true; do sleep 0.01; done",
        ]);
        await waitFor(
          "its trap",
          async () => (await box.run(["exec", id, "test", "-e", "/ready"])).status === 0,
        );
        await box.ok(["pause", id]);
        await box.ok(["kill", "--all", id, "USR1"]);
        expect(await readStatus(box, id)).toBe("paused");
        await box.ok(["resume", id]);
        expect((await other.result).status).toBe(7);
        await waitFor(
          "the mark",
          async () => (await box.run(["exec", id, "cat", "/got"])).stdout === "one\n",
        );
      },
    ));

  test("without a pid namespace, the first process or not", async () => {
    const id = box.id();
    const bundle = box.bundle(["sh", "-c", "sleep 100 & exec sleep 200"], (config) => {
      config.linux.namespaces = config.linux.namespaces.filter(({ type }) => type !== "pid");
    });
    await box.ok(["run", "--detach", "--bundle", bundle.directory, id]);
    const pids = await waitFor("both", async () => {
      const found = await readPids(id);
      return found.length === 2 ? found : undefined;
    });
    process.kill(await readInit(id), "SIGKILL");
    await waitFor("its end", async () => (await readStatus(box, id)) === "stopped");
    expect(await readPids(id)).toHaveLength(pids.length - 1);
    await box.ok(["kill", "--all", id, "KILL"]);
    await waitFor("their end", async () => (await box.ok(["ps", "-f", "json", id])).stdout === "null\n");
    await box.ok(["kill", "--all", id, "KILL"]);
    await box.ok(["delete", id]);
  });
});
