import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { CgroupRecord } from "../../../src/cgroup/types.ts";
import { formatJson, formatTable, listContainers } from "../../../src/container/list.ts";
import { containerPaths } from "../../../src/container/record.ts";
import { describeState, formatContainerState } from "../../../src/container/state.ts";
import { computeStatus } from "../../../src/container/status.ts";
import { isProcessAlive, parseProcessStat, readProcessStat } from "../../../src/host/process-stat.ts";
import { type Fixture, makeFixture, makeRecord } from "./fixture.ts";

let fixture: Fixture;
beforeEach(() => {
  fixture = makeFixture();
});
afterEach(() => fixture.remove());

describe("/proc/PID/stat", () => {
  const fields = "S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 1234567 20 21";
  test("a command with parentheses and spaces in its name", () => {
    expect(parseProcessStat(`7 (a) Z 9 (b) ${fields}\n`)).toEqual({
      name: "a) Z 9 (b",
      state: "S",
      terminal: 4,
      threads: 17,
      startTime: "1234567",
    });
    expect(parseProcessStat(`7 () ${fields}`)).toEqual({
      name: "",
      state: "S",
      terminal: 4,
      threads: 17,
      startTime: "1234567",
    });
  });
  test("no stat", () => {
    expect(parseProcessStat("")).toBeUndefined();
    expect(readProcessStat(2 ** 30)).toBeUndefined();
  });
  test("this process", () => {
    const own = readProcessStat("self");
    expect(own?.startTime).toMatch(/^[0-9]+$/);
    expect(isProcessAlive(process.pid, own?.startTime as string)).toBe(true);
    expect(isProcessAlive(process.pid, "1")).toBe(false);
    expect(isProcessAlive(0, "0")).toBe(false);
  });
  test("a zombie is not alive", async () => {
    // The shell leaves its child unreaped while it waits for its own input.
    const parent = await fixture.spawn("read line; true & echo $!; exec sleep 100");
    parent.child.stdin?.write("go\n");
    const [line] = await once(parent.child.stdout as NodeJS.ReadableStream, "data");
    const pid = Number(String(line).trim());
    while (readProcessStat(pid)?.state !== "Z") await Bun.sleep(1);
    expect(isProcessAlive(pid, readProcessStat(pid)?.startTime as string)).toBe(false);
  });
});

describe("status", () => {
  test("creating: no process yet, or a record that is not complete", async () => {
    expect(computeStatus(fixture.ctx, fixture.add("a", { phase: "creating" }))).toBe("creating");
    const { pid, startTime } = await fixture.spawn();
    expect(computeStatus(fixture.ctx, fixture.add("b", { phase: "creating", pid, startTime }))).toBe(
      "creating",
    );
  });

  test("created while the start socket is there, then running", async () => {
    const { pid, startTime } = await fixture.spawn();
    const record = fixture.add("a", { pid, startTime });
    expect(computeStatus(fixture.ctx, record)).toBe("running");
    writeFileSync(containerPaths(fixture.ctx.root, "a").startSocket, "");
    expect(computeStatus(fixture.ctx, record)).toBe("created");
  });

  test("stopped: process gone, or its number reused", async () => {
    const { pid, startTime, child } = await fixture.spawn();
    const later = String(BigInt(startTime) + 1n);
    expect(computeStatus(fixture.ctx, fixture.add("a", { pid, startTime: later }))).toBe("stopped");
    child.kill("SIGKILL");
    await once(child, "exit");
    expect(computeStatus(fixture.ctx, fixture.add("b", { pid, startTime }))).toBe("stopped");
  });

  test("paused, also when it was not started", async () => {
    const { pid, startTime } = await fixture.spawn();
    const dir = join(fixture.ctx.cwd, "cgroup");
    mkdirSync(dir);
    const cgroup: CgroupRecord = { driver: "cgroupfs", mode: "v2", paths: { unified: dir } };
    const record = fixture.add("a", { pid, startTime, cgroup });
    writeFileSync(join(dir, "cgroup.freeze"), "1\n");
    expect(computeStatus(fixture.ctx, record)).toBe("paused");
    writeFileSync(containerPaths(fixture.ctx.root, "a").startSocket, "");
    expect(computeStatus(fixture.ctx, record)).toBe("paused");
    writeFileSync(join(dir, "cgroup.freeze"), "0\n");
    expect(computeStatus(fixture.ctx, record)).toBe("created");
  });
});

describe("state", () => {
  test("members in runc's order, two spaces, no final newline", () => {
    fixture.add("a", { pid: 2 ** 30, annotations: { k: "v" } });
    expect(formatContainerState(fixture.ctx, "a")).toBe(
      `{
  "ociVersion": "1.3.0",
  "id": "a",
  "pid": 0,
  "status": "stopped",
  "bundle": "/bundle",
  "rootfs": "/bundle/rootfs",
  "created": "2026-01-02T03:04:05.67Z",
  "annotations": {
    "k": "v"
  },
  "owner": ""
}`,
    );
  });

  test("no annotations, no member; a live pid", () => {
    const state = describeState({ ...makeRecord("a"), pid: 5 }, "running", "root");
    expect(state).not.toHaveProperty("annotations");
    expect(state).toMatchObject({ pid: 5, owner: "root" });
  });

  test("fractions of a second as Go prints them", () => {
    const at = (created: string): string => describeState({ ...makeRecord("a"), created }, "stopped").created;
    expect(at("2026-01-02T03:04:05.000000000Z")).toBe("2026-01-02T03:04:05Z");
    expect(at("2026-01-02T03:04:10.120000000Z")).toBe("2026-01-02T03:04:10.12Z");
    expect(at("2026-01-02T03:04:10.000000001Z")).toBe("2026-01-02T03:04:10.000000001Z");
  });
});

describe("list", () => {
  test("states with their owners' names", () => {
    fixture.add("b");
    fixture.add("a", { owner: 4294967294, pid: 2 ** 30 });
    const { states, problems } = listContainers(fixture.ctx, true);
    expect(problems).toEqual([]);
    expect(states.map(({ id, owner, status }) => [id, owner, status])).toEqual([
      ["a", "#4294967294", "stopped"],
      ["b", "root", "creating"],
    ]);
    expect(JSON.parse(formatJson(states)).length).toBe(2);
    expect(formatJson(states)).not.toContain("\n");
  });

  test("columns grow with their cells", () => {
    const id = "a-rather-long-identifier";
    const [header, row] = formatTable([describeState(makeRecord(id), "stopped", "root")]).split("\n");
    expect(header).toBe(
      "ID                         PID         STATUS      BUNDLE      CREATED                   OWNER",
    );
    expect(row).toBe(`${id}   0           stopped     /bundle     2026-01-02T03:04:05.67Z   root`);
  });

  test("a root that is not there", () => {
    expect(listContainers(fixture.ctx, false).states).toEqual([]);
    expect(() => listContainers(fixture.ctx, true)).toThrow(
      `open ${fixture.ctx.root}: no such file or directory`,
    );
  });
});
