import { describe, expect, test } from "bun:test";
import { planWrites } from "../../../src/cgroup/plan.ts";
import { completeChange, mergeResources } from "../../../src/cgroup/update.ts";
import type { Resources } from "../../../src/spec/resources.ts";

const files = (mode: "v1" | "v2", current: Resources, change: Resources): string[] =>
  planWrites(mode, completeChange(current, change)).map(({ file, value }) => `${file}=${value}`);

describe("a change brings along what shares a file with it", () => {
  const current: Resources = {
    memory: { limit: 1000n, swap: 3000n, checkBeforeUpdate: true, reservation: 5n },
    cpu: { quota: 20000n, period: 50000n, shares: 512n },
    pids: { limit: 3n },
  };
  test("quota and period", () => {
    expect(files("v2", current, { cpu: { quota: 30000n } })).toEqual(["cpu.max=30000 50000"]);
    expect(files("v2", current, { cpu: { period: 90000n } })).toEqual(["cpu.max=20000 90000"]);
    expect(files("v2", current, { cpu: { quota: -1n } })).toEqual(["cpu.max=max 50000"]);
    expect(files("v2", current, { cpu: { shares: 1024n } })).toEqual(["cpu.weight=100"]);
  });
  test("limit and swap, with the check", () => {
    expect(files("v2", current, { memory: { limit: 2000n } })).toEqual([
      "memory.swap.max=1000",
      "memory.max=2000",
    ]);
    expect(files("v2", current, { memory: { swap: 1500n } })).toEqual([
      "memory.swap.max=500",
      "memory.max=1000",
    ]);
    const [write] = planWrites("v2", completeChange(current, { memory: { limit: 2000n } }));
    expect(write?.mustExceed?.amount).toBe(3000n);
    expect(files("v2", current, { memory: { limit: -1n } })).toEqual([
      "memory.swap.max=max",
      "memory.max=max",
    ]);
    expect(files("v2", current, { memory: { reservation: 7n } })).toEqual(["memory.low=7"]);
  });
  test("the end of idleness and shares", () => {
    expect(files("v1", current, { cpu: { idle: 0n } })).toEqual(["cpu.idle=0", "cpu.shares=512"]);
    expect(files("v1", current, { cpu: { idle: 1n } })).toEqual(["cpu.idle=1"]);
  });
  test("nothing else", () => {
    expect(files("v1", current, {})).toEqual([]);
    expect(files("v1", current, { pids: { limit: 0n } })).toEqual(["pids.max=0"]);
  });
});

describe("what a container has after a change", () => {
  test("absent members stay, zeros that ask for nothing too", () => {
    const current: Resources = {
      cpu: { shares: 5n, burst: 9n, cpus: "0" },
      memory: { limit: 7n, swappiness: 60n },
    };
    const change: Resources = {
      cpu: { shares: 0n, burst: 0n, idle: 0n },
      memory: { limit: 0n, swappiness: 0n },
    };
    expect(mergeResources(current, change)).toEqual({
      cpu: { shares: 5n, burst: 0n, cpus: "0", idle: 0n },
      memory: { limit: 7n, swappiness: 0n },
    });
    expect(mergeResources({ pids: { limit: 4n } }, { pids: { limit: 0n } })).toEqual({ pids: { limit: 0n } });
  });
  test("lists are merged by device, size and interface", () => {
    const a = { major: 8n, minor: 0n };
    const b = { major: 8n, minor: 16n };
    const current: Resources = {
      blockIO: { weight: 10, weightDevice: [{ ...a, weight: 1, leafWeight: 2 }] },
      hugepageLimits: [{ pageSize: "2MB", limit: 1n }],
      rdma: { x: { hcaHandles: 1 } },
      unified: { "memory.high": "1" },
    };
    const change: Resources = {
      blockIO: {
        weightDevice: [
          { ...a, weight: 3 },
          { ...b, weight: 4 },
        ],
      },
      hugepageLimits: [
        { pageSize: "1GB", limit: 2n },
        { pageSize: "2MB", limit: 3n },
      ],
      rdma: { x: { hcaObjects: 2 } },
      unified: { "io.max": "2" },
    };
    expect(mergeResources(current, change)).toEqual({
      blockIO: {
        weight: 10,
        weightDevice: [
          { ...a, weight: 3, leafWeight: 2 },
          { ...b, weight: 4 },
        ],
      },
      hugepageLimits: [
        { pageSize: "2MB", limit: 3n },
        { pageSize: "1GB", limit: 2n },
      ],
      rdma: { x: { hcaHandles: 1, hcaObjects: 2 } },
      unified: { "memory.high": "1", "io.max": "2" },
    });
    expect(mergeResources(change, {})).toEqual(change);
  });
  test("devices stay as they are", () => {
    const rule = { allow: true, type: "c", major: 10n, minor: 229n, access: "rw" } as const;
    expect(mergeResources({ devices: [rule] }, { devices: [] })).toEqual({ devices: [rule] });
  });
  test("no limit of memory is none of swap", () => {
    expect(mergeResources({ memory: { limit: 1n, swap: 2n } }, { memory: { limit: -1n } }).memory).toEqual({
      limit: -1n,
      swap: -1n,
    });
  });
});
