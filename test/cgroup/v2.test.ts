// Cgroups of a host with everything on cgroup2, root.
import { afterEach, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { isFrozen, killCgroup, readCgroupPids, removeCgroup, setFreezer } from "../../src/cgroup/control.ts";
import { createCgroup, writeLateLimits } from "../../src/cgroup/create.ts";
import { readCgroupLayout } from "../../src/cgroup/layout.ts";
import { planCgroup } from "../../src/cgroup/plan.ts";
import { findSelfJoin } from "../../src/cgroup/self-join.ts";
import type { CgroupRecord } from "../../src/cgroup/types.ts";
import type { Resources } from "../../src/spec/resources.ts";
import { joinCgroup } from "./join.ts";

const layout = readCgroupLayout();
const isV2 = layout.mode === "v2" && process.getuid?.() === 0;
const mountPoint = layout.unified?.mountPoint ?? "";
const top = `tsrunc-test-${process.pid}`;

let count = 0;
const records: CgroupRecord[] = [];
const children: Bun.Subprocess[] = [];

function create(resources: Resources = {}, cgroupsPath = `/${top}/${count++}`): CgroupRecord {
  const plan = planCgroup(layout, { id: "test", cgroupsPath, resources });
  createCgroup(plan);
  records.push(plan.record);
  writeLateLimits(plan);
  return plan.record;
}

function start(): Bun.Subprocess {
  const child = Bun.spawn(["sleep", "100"]);
  children.push(child);
  return child;
}

const dirOf = (record: CgroupRecord): string => record.paths.unified ?? "";
const read = (record: CgroupRecord, file: string): string =>
  readFileSync(`${dirOf(record)}/${file}`, "utf8").trim();

afterEach(async () => {
  for (const record of records.splice(0)) {
    killCgroup(record);
    removeCgroup(record);
  }
  for (const child of children.splice(0)) {
    child.kill("SIGKILL");
    await child.exited;
  }
  if (existsSync(`${mountPoint}/${top}`)) rmdirSync(`${mountPoint}/${top}`);
});

describe.skipIf(!isV2)("cgroup2", () => {
  test("limits, with the controllers handed down", () => {
    const record = create({
      memory: { limit: 67108864n },
      cpu: { shares: 1024n, quota: 20000n, period: 50000n },
      pids: { limit: 50n },
    });
    expect(dirOf(record)).toBe(`${mountPoint}/${top}/${count - 1}`);
    expect(read(record, "memory.max")).toBe("67108864");
    expect(read(record, "cpu.weight")).toBe("100");
    expect(read(record, "cpu.max")).toBe("20000 50000");
    expect(read(record, "pids.max")).toBe("50");
    // Only those above hand down: a cgroup that does cannot hold processes.
    expect(read(record, "cgroup.subtree_control")).toBe("");
    removeCgroup(record);
    expect(existsSync(dirOf(record))).toBe(false);
  });

  test("lifting the limit of memory", () => {
    const record = create({ memory: { limit: -1n } });
    expect(read(record, "memory.max")).toBe("max");
  });

  test("a value that the kernel refuses leaves nothing", () => {
    expect(() => create({ cpu: { quota: 1n } })).toThrow(
      'linux.resources.cpu.quota: write "1 100000" to cpu.max: invalid argument',
    );
    expect(existsSync(`${mountPoint}/${top}`)).toBe(false);
  });

  test("a controller that cannot be handed down is named", () => {
    // A cgroup with a process of its own cannot hand down memory.
    mkdirSync(`${mountPoint}/${top}`);
    const child = start();
    writeFileSync(`${mountPoint}/${top}/cgroup.procs`, String(child.pid));
    expect(() => create({ memory: { limit: 67108864n } })).toThrow(
      'linux.resources.memory.limit: write "67108864" to memory.max: no such file or directory (the memory controller is not available here)',
    );
    expect(readdirSync(`${mountPoint}/${top}`, { withFileTypes: true }).some((e) => e.isDirectory())).toBe(
      false,
    );
    writeFileSync(`${mountPoint}/cgroup.procs`, String(child.pid));
  });

  test("join, freeze, signal, thaw, kill", async () => {
    const record = create();
    const child = start();
    joinCgroup(record, child.pid);
    expect(readCgroupPids(record)).toEqual([child.pid]);
    setFreezer(record, true);
    expect(isFrozen(record)).toBe(true);
    expect(read(record, "cgroup.events")).toContain("frozen 1");
    killCgroup(record, 18);
    expect(isFrozen(record)).toBe(true);
    setFreezer(record, false);
    expect(isFrozen(record)).toBe(false);
    killCgroup(record, 15);
    await child.exited;
    expect(child.signalCode).toBe("SIGTERM");
    const second = start();
    joinCgroup(record, second.pid);
    setFreezer(record, true);
    killCgroup(record);
    await second.exited;
    expect(second.signalCode).toBe("SIGKILL");
  });

  test("non-empty and frozen ones are refused", () => {
    const record = create();
    const path = `/${top}/${count - 1}`;
    setFreezer(record, true);
    for (const each of [path, `${path}/below`])
      expect(() => create({}, each)).toThrow("container's cgroup unexpectedly frozen");
    setFreezer(record, false);
    mkdirSync(`${dirOf(record)}/below`);
    writeFileSync(`${dirOf(record)}/below/cgroup.procs`, String(start().pid));
    expect(() => create({}, path)).toThrow("container's cgroup is not empty: 1 process(es) found");
  });

  test("a container whose manager moved its processes below takes one more there", () => {
    const record = create();
    const init = start();
    mkdirSync(`${dirOf(record)}/init.scope`);
    writeFileSync(`${dirOf(record)}/init.scope/cgroup.procs`, String(init.pid));
    writeFileSync(`${dirOf(record)}/cgroup.subtree_control`, "+memory");
    expect(() => joinCgroup(record, start().pid)).toThrow("EBUSY");
    expect(findSelfJoin(record, init.pid)).toEqual({
      taskFiles: [],
      cloneInto: `${dirOf(record)}/init.scope`,
    });
    writeFileSync(`${dirOf(record)}/cgroup.subtree_control`, "-memory");
    expect(findSelfJoin(record, init.pid)).toEqual({ taskFiles: [], cloneInto: dirOf(record) });
  });
});
