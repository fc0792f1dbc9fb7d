// events: statistics in runc's shape and with its values, out-of-memory kills, and the end with the container.
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { readCgroupLayout } from "../../src/cgroup/layout.ts";
import { readCgroupStats } from "../../src/cgroup/stats.ts";
import type { CgroupRecord } from "../../src/cgroup/types.ts";
import { describeStats } from "../../src/container/event-stats.ts";
import { formatJson } from "../../src/spec/json.ts";
import { openSandbox, readStatus, waitFor } from "./harness.ts";

const box = openSandbox("events");
const MIB = 1024 * 1024;

interface Data {
  readonly [part: string]: unknown;
  readonly cpu: { readonly usage: { readonly total: number } };
  readonly memory: {
    readonly usage: { readonly limit: number; readonly usage: number; readonly max: number };
    readonly raw: Readonly<Record<string, number>>;
  };
}

interface Event {
  readonly type: string;
  readonly id: string;
  readonly data?: Data;
}

const parseEvents = (text: string): Event[] =>
  text.split("\n").flatMap((line) => (line === "" ? [] : [JSON.parse(line) as Event]));

function readData(text: string): Data {
  const [event] = parseEvents(text);
  if (event?.data === undefined) throw new Error(`no statistics: ${text}`);
  return event.data;
}

async function readPid(sandbox: Pick<typeof box, "ok">, id: string): Promise<number> {
  return (JSON.parse((await sandbox.ok(["state", id])).stdout) as { pid: number }).pid;
}

/** The record that tsrunc would have of the cgroup of a peer's container. */
function findCgroup(pid: number): CgroupRecord {
  const { mode, controllers, unified } = readCgroupLayout();
  const paths: Record<string, string> = {};
  for (const line of readFileSync(`/proc/${pid}/cgroup`, "utf8").trim().split("\n")) {
    const [, names = "", path = ""] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    if (names === "") paths.unified = `${unified?.mountPoint}${path}`;
    else for (const name of names.split(",")) paths[name] = `${controllers.get(name)?.mountPoint}${path}`;
  }
  if (mode === "none") throw new Error("no cgroups");
  return { driver: "cgroupfs", mode, paths };
}

/** Without pressure, which Debian's runc does not read, and the empty objects that it prints. */
function normalize(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(normalize);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, member]) =>
      name === "psi" || JSON.stringify(member) === "{}" ? [] : [[name, normalize(member)]],
    ),
  );
}

describe("statistics", () => {
  test("have runc's shape and values for the same container", async () => {
    const peer = box.withPeer("runc");
    const id = box.id();
    const work =
      "dd if=/dev/zero of=/file bs=1M count=4; i=0; while [ $i -lt 50000 ]; do i=$((i+1)); done; exec sleep 100";
    const bundle = box.bundle(["sh", "-c", work], (config) => {
      config.linux.resources = {
        memory: { limit: 64 * MIB },
        pids: { limit: 50 },
        cpu: { quota: 30000, period: 100000 },
      };
    });
    await peer.ok(["run", "--detach", "--bundle", bundle.directory, id]);
    // With three tenths of a CPU, on a machine that may be slow.
    await waitFor(
      "sleep",
      async () => (await peer.ok(["ps", id, "-eo", "pid,comm"])).stdout.includes("sleep"),
      30_000,
    );
    await peer.ok(["pause", id]);
    await Bun.sleep(500); // the period of its CPU quota goes on to its end
    const theirs = readData((await peer.ok(["events", "--stats", id])).stdout);
    const stats = describeStats(readCgroupStats(findCgroup(await readPid(peer, id))));
    const ours = readData(formatJson({ type: "stats", id, data: stats }));
    for (const part of ["cpu", "cpuset", "pids", "blkio", "hugetlb", "intel_rdt", "network_interfaces"])
      expect({ [part]: normalize(ours[part]) }).toEqual({ [part]: normalize(theirs[part]) });
    const { memory } = ours;
    expect(Object.keys(memory.raw)).toEqual(Object.keys(theirs.memory.raw));
    expect(memory.usage.limit).toBe(64 * MIB);
    expect(memory.usage.max).toBeGreaterThan(4 * MIB);
    // The kernel goes on to give memory back during the pause.
    expect(Math.abs(memory.usage.usage - theirs.memory.usage.usage)).toBeLessThan(MIB);
    await peer.ok(["delete", "--force", id]);
  });

  test("of a container of tsrunc, with its limits and its use", async () => {
    const id = box.id();
    const bundle = box.bundle(
      ["sh", "-c", "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; sleep 100"],
      (config) => {
        config.linux.resources = { memory: { limit: 64 * MIB }, pids: { limit: 50 } };
      },
    );
    await box.ok(["run", "--detach", "--bundle", bundle.directory, id]);
    await waitFor("sleep", async () =>
      (await box.ok(["ps", id, "-eo", "pid,comm"])).stdout.includes("sleep"),
    );
    const { stdout } = await box.ok(["events", "--stats", id]);
    expect(stdout).toMatch(/^\{"type":"stats","id":"[^"]+","data":\{"cpu":.*\}\}\n$/);
    const [event] = parseEvents(stdout);
    expect(event).toMatchObject({
      type: "stats",
      id,
      data: {
        cpu: { usage: { total: expect.any(Number), kernel: expect.any(Number), user: expect.any(Number) } },
        memory: {
          usage: { limit: 64 * MIB, usage: expect.any(Number), max: expect.any(Number), failcnt: 0 },
        },
        pids: { current: 1, limit: 50 },
        intel_rdt: {},
        network_interfaces: null,
      },
    });
    const { total } = readData(stdout).cpu.usage;
    expect(total).toBeGreaterThan(10_000_000); // more than 10 ms for the loop
    expect(total).toBeLessThan(60_000_000_000);
    await box.ok(["delete", "--force", id]);
  });
});

describe("the stream", () => {
  test("has statistics at intervals and ends with the container", async () => {
    const id = box.id();
    await box.ok(["run", "--detach", "--bundle", box.bundle(["sleep", "100"]).directory, id]);
    const events = box.start(["events", "--interval", "200ms", id]);
    await waitFor("three events", () => parseEvents(events.stdout()).length >= 3);
    expect(events.child.exitCode).toBeNull();
    await box.ok(["kill", id, "KILL"]);
    const { status, stdout, stderr } = await events.result;
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    for (const event of parseEvents(stdout)) expect(event).toMatchObject({ type: "stats", id });
    await box.ok(["delete", id]);
  });

  test("ends when nobody reads it", async () => {
    const id = box.id();
    await box.ok(["run", "--detach", "--bundle", box.bundle(["sleep", "100"]).directory, id]);
    const { result } = box.start(["events", "--interval", "100ms", id], {
      prefix: ["sh", "-c", '"$@" | head -n 2', "sh"],
    });
    expect(parseEvents((await result).stdout)).toHaveLength(2);
    expect(await readStatus(box, id)).toBe("running");
    await box.ok(["delete", "--force", id]);
  });

  test("tells of a process that is killed for want of memory, and goes on", async () => {
    const id = box.id();
    const bundle = box.bundle(
      [
        "sh",
        "-c",
        "while [ ! -e /go ]; do sleep 0.05; done; dd if=/dev/zero of=/dev/null bs=64M count=1; sleep 100",
      ],
      (config) => {
        config.linux.resources = { memory: { limit: 16 * MIB } };
      },
    );
    await box.ok(["run", "--detach", "--bundle", bundle.directory, id]);
    const events = box.start(["events", "--interval", "1h", id]);
    await Bun.sleep(500);
    expect(events.stdout()).toBe("");
    await box.ok(["exec", id, "touch", "/go"]);
    await waitFor("the event", () => events.stdout() === `{"type":"oom","id":"${id}"}\n`);
    expect(await readStatus(box, id)).toBe("running");
    await box.ok(["kill", id, "KILL"]);
    expect((await events.result).stdout).toBe(`{"type":"oom","id":"${id}"}\n`);
    await box.ok(["delete", id]);
  });

  test("tells of it though it is the container's end", async () => {
    const id = box.id();
    const bundle = box.bundle(["dd", "if=/dev/zero", "of=/dev/null", "bs=64M", "count=1"], (config) => {
      config.linux.resources = { memory: { limit: 16 * MIB } };
    });
    await box.ok(["create", "--bundle", bundle.directory, id]);
    const events = box.start(["events", id]);
    await Bun.sleep(500);
    await box.ok(["start", id]);
    const { status, stdout } = await events.result;
    expect({ status, stdout }).toEqual({ status: 0, stdout: `{"type":"oom","id":"${id}"}\n` });
    await box.ok(["delete", id]);
  });
});

test("what it refuses", async () => {
  const id = box.id();
  const fails = async (args: readonly string[], text: string): Promise<void> => {
    const result = await box.run(args);
    expect(result.stderr).toContain(text);
    expect(result.status).toBe(1);
  };
  await fails(["events", id], "container does not exist");
  await fails(["events", "--interval", "0s", id], "duration interval must be greater than 0");
  await fails(["events", "--interval", "-5s", id], "duration interval must be greater than 0");
  await fails(["events", "--interval", "5", id], "for flag -interval");
  await box.ok(["run", "--detach", "--bundle", box.bundle(["true"]).directory, id]);
  await waitFor("its end", async () => (await readStatus(box, id)) === "stopped");
  await fails(["events", id], `container with id ${id} is not running`);
  await fails(["events", "--stats", id], `container with id ${id} is not running`);
  await box.ok(["delete", id]);
});
