import { describe, expect, test } from "bun:test";
import { planCpuV1, planCpuV2, sharesToWeight } from "../../../src/cgroup/cpu.ts";
import { planMemoryV1, planMemoryV2 } from "../../../src/cgroup/memory.ts";
import { planPids } from "../../../src/cgroup/pids.ts";
import { describeCgroupPlan, planCgroup } from "../../../src/cgroup/plan.ts";
import type { CgroupWrite } from "../../../src/cgroup/types.ts";
import { hybrid, v2 } from "./hosts.ts";

/** `file=value`, and the config path. */
const brief = (writes: readonly CgroupWrite[]): string[] =>
  writes.map((w) => `${w.file}=${w.value} ${w.why.replace("linux.resources.", "")}`);

describe("memory", () => {
  test("a limit", () => {
    expect(brief(planMemoryV1({ limit: 1048576n }))).toEqual(["memory.limit_in_bytes=1048576 memory.limit"]);
    expect(brief(planMemoryV2({ limit: 1048576n }))).toEqual(["memory.max=1048576 memory.limit"]);
    expect(brief(planMemoryV2({ limit: 9223372036854775807n }))).toEqual([
      "memory.max=9223372036854775807 memory.limit",
    ]);
  });

  test("no limit lifts that of swap too, where the kernel has one", () => {
    expect(brief(planMemoryV1({ limit: -1n }))).toEqual([
      "memory.memsw.limit_in_bytes=-1 memory.limit",
      "memory.limit_in_bytes=-1 memory.limit",
    ]);
    expect(brief(planMemoryV2({ limit: -1n }))).toEqual([
      "memory.swap.max=max memory.limit",
      "memory.max=max memory.limit",
    ]);
    for (const [swap, limit] of [planMemoryV1({ limit: -1n }), planMemoryV2({ limit: -1n })]) {
      expect(swap?.ifMissing).toBe("skip");
      expect(limit?.ifMissing).toBeUndefined();
    }
  });

  test("absent and 0 ask for nothing", () => {
    for (const plan of [planMemoryV1, planMemoryV2]) {
      expect(plan(undefined)).toEqual([]);
      expect(plan({})).toEqual([]);
      expect(plan({ limit: 0n })).toEqual([]);
    }
  });
});

describe("cpu", () => {
  test("v1", () => {
    expect(brief(planCpuV1({ shares: 512n, quota: 20000n, period: 50000n }))).toEqual([
      "cpu.shares=512 cpu.shares",
      "cpu.cfs_period_us=50000 cpu.period",
      "cpu.cfs_quota_us=20000 cpu.quota",
    ]);
    expect(brief(planCpuV1({ quota: -1n }))).toEqual(["cpu.cfs_quota_us=-1 cpu.quota"]);
    expect(planCpuV1({ shares: 0n, quota: 0n, period: 0n })).toEqual([]);
  });

  test("v1: a period may have to wait for its quota, but not for nothing", () => {
    expect(planCpuV1({ quota: 1000n, period: 5000n })[0]?.ifInvalid).toBe("retry last");
    expect(planCpuV1({ period: 5000n })[0]?.ifInvalid).toBeUndefined();
  });

  test("v1: shares that the kernel would clamp are an error", () => {
    expect(() => planCpuV1({ shares: 1n })).toThrow(
      "linux.resources.cpu.shares: the minimum allowed cpu-shares is 2, not 1",
    );
    expect(() => planCpuV1({ shares: 262145n })).toThrow(
      "linux.resources.cpu.shares: the maximum allowed cpu-shares is 262144, not 262145",
    );
  });

  test("v2", () => {
    expect(brief(planCpuV2({ shares: 1024n, quota: 20000n, period: 50000n }))).toEqual([
      "cpu.weight=100 cpu.shares",
      "cpu.max=20000 50000 cpu.quota",
    ]);
    expect(brief(planCpuV2({ quota: 20000n }))).toEqual(["cpu.max=20000 100000 cpu.quota"]);
    expect(brief(planCpuV2({ quota: -1n }))).toEqual(["cpu.max=max 100000 cpu.quota"]);
    expect(brief(planCpuV2({ period: 50000n }))).toEqual(["cpu.max=max 50000 cpu.period"]);
    expect(planCpuV2({ shares: 0n })).toEqual([]);
  });

  test("shares become weights between the ends, with the default on the default", () => {
    const table: [bigint, number][] = [
      [1n, 1],
      [2n, 1],
      [1024n, 100],
      [262144n, 10000],
      [1n << 60n, 10000],
    ];
    for (const [shares, weight] of table) expect(sharesToWeight(shares)).toBe(weight);
    let last = 0;
    for (let shares = 2n; shares <= 262144n; shares *= 2n) {
      expect(sharesToWeight(shares)).toBeGreaterThanOrEqual(last);
      last = sharesToWeight(shares);
    }
  });
});

test("pids: -1 is no limit, 0 is one, and all are written late", () => {
  expect(brief(planPids("pids", { limit: 100n }))).toEqual(["pids.max=100 pids.limit"]);
  expect(brief(planPids("pids", { limit: -1n }))).toEqual(["pids.max=max pids.limit"]);
  expect(brief(planPids("pids", { limit: 0n }))).toEqual(["pids.max=0 pids.limit"]);
  expect(planPids("pids", {})).toEqual([]);
  for (const layout of [hybrid, v2]) {
    const plan = planCgroup(layout, { id: "web", resources: { pids: { limit: 7n } } });
    expect(brief(plan.lateWrites)).toEqual(["pids.max=7 pids.limit"]);
    expect(brief(plan.writes).join()).not.toContain("pids.max");
  }
});

describe("the plan as lines", () => {
  const resources = { memory: { limit: 4096n }, pids: { limit: 9n }, cpu: { shares: 2n } };

  test("v2", () => {
    const plan = planCgroup(v2, { id: "web", cgroupsPath: "/a/web", resources });
    expect(describeCgroupPlan(plan)).toEqual([
      'host  mkdir("/sys/fs/cgroup/a/web", 0755)  # linux.cgroupsPath',
      'host  write("/sys/fs/cgroup/a/web/memory.max", "4096")  # linux.resources.memory.limit',
      'host  write("/sys/fs/cgroup/a/web/cpu.weight", "1")  # linux.resources.cpu.shares',
      `host  bpf(BPF_PROG_LOAD, ${(plan.deviceFilter?.program.length ?? 0) / 8} instructions)  # linux.resources.devices`,
      'host  bpf(BPF_PROG_ATTACH, "/sys/fs/cgroup/a/web")  # linux.resources.devices',
      'host  write("/sys/fs/cgroup/a/web/pids.max", "9")  # linux.resources.pids.limit',
    ]);
  });

  test("v1: directories, then devices, then the rest", () => {
    const lines = describeCgroupPlan(planCgroup(hybrid, { id: "web", cgroupsPath: "/web", resources }));
    expect(lines.slice(0, 9).every((line) => line.startsWith("host  mkdir("))).toBe(true);
    expect(lines[9]).toBe(
      'host  write("/sys/fs/cgroup/devices/web/devices.deny", "a")  # linux.resources.devices',
    );
    expect(lines.at(-1)).toBe(
      'host  write("/sys/fs/cgroup/pids/web/pids.max", "9")  # linux.resources.pids.limit',
    );
  });
});
