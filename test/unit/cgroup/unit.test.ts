// The systemd driver: where the unit is, and what it is made of.
import { describe, expect, test } from "bun:test";
import { describeCgroupPlan, planCgroup } from "../../../src/cgroup/plan.ts";
import type { SystemdFacts } from "../../../src/cgroup/types.ts";
import { expandSlice } from "../../../src/cgroup/unit.ts";
import {
  convertFromBfq,
  listToBits,
  planDeviceProperties,
  planUnitProperties,
} from "../../../src/cgroup/unit-properties.ts";
import type { DeviceRule, Resources } from "../../../src/spec/resources.ts";
import { hybrid, v2 } from "./hosts.ts";

const system: SystemdFacts = { isUser: false, version: 252, controlGroup: "/" };
const user: SystemdFacts = {
  isUser: true,
  version: 252,
  controlGroup: "/user.slice/user-1000.slice/user@1000.service",
};
const INFINITY = 18446744073709551615n;

describe("place", () => {
  const place = (cgroupsPath?: string, systemd = system, layout = v2) =>
    planCgroup(layout, { id: "web", cgroupsPath, systemd }).record;

  test("v2", () => {
    expect(place("a-b.slice:docker:1234")).toEqual({
      driver: "systemd",
      unit: { name: "docker-1234.scope", isUser: false },
      mode: "v2",
      paths: { unified: "/sys/fs/cgroup/a.slice/a-b.slice/docker-1234.scope" },
    });
    expect(place().paths.unified).toBe("/sys/fs/cgroup/system.slice/tsrunc-web.scope");
    expect(place(":x:y").paths.unified).toBe("/sys/fs/cgroup/system.slice/x-y.scope");
    expect(place("-.slice:x:y").paths.unified).toBe("/sys/fs/cgroup/x-y.scope");
  });
  test("a user's manager", () => {
    expect(place(undefined, user).paths.unified).toBe(
      `/sys/fs/cgroup${user.controlGroup}/user.slice/tsrunc-web.scope`,
    );
    expect(place(undefined, user).unit?.isUser).toBe(true);
    expect(() => place(undefined, user, hybrid)).toThrow("need cgroup v2");
  });
  test("hybrid: in every hierarchy", () => {
    const { paths } = place("x.slice:p:n", system, hybrid);
    expect(paths.memory).toBe("/sys/fs/cgroup/memory/x.slice/p-n.scope");
    expect(paths["name=systemd"]).toBe("/sys/fs/cgroup/systemd/x.slice/p-n.scope");
    expect(paths.unified).toBe("/sys/fs/cgroup/unified/x.slice/p-n.scope");
  });
  test("what is no place", () => {
    expect(() => place("/a/b")).toThrow(
      'expected cgroupsPath to be of format "slice:prefix:name" for systemd cgroups, got "/a/b" instead',
    );
    for (const slice of ["a", "a--b.slice", "-a.slice", ".slice", "a/b.slice"])
      expect(() => expandSlice(slice)).toThrow(`invalid slice name: ${slice}`);
    expect(() => place("x.slice:../../etc:n")).toThrow("is not the name of a unit");
    expect(() => place(`x.slice:p:${"n".repeat(300)}`)).toThrow("is not the name of a unit");
  });
});

describe("properties", () => {
  const brief = (mode: "v1" | "v2", resources: Resources, facts = system): Record<string, unknown> =>
    Object.fromEntries(planUnitProperties(mode, resources, facts).map(({ name, value }) => [name, value]));

  test("memory", () => {
    expect(brief("v2", { memory: { limit: 100n, swap: 150n, reservation: 50n } })).toEqual({
      MemoryMax: 100n,
      MemorySwapMax: 50n,
      MemoryLow: 50n,
    });
    expect(brief("v2", { memory: { limit: -1n } })).toEqual({ MemoryMax: INFINITY, MemorySwapMax: INFINITY });
    expect(brief("v2", { memory: { limit: 5n, swap: 5n } }).MemorySwapMax).toBe(0n);
    expect(brief("v1", { memory: { limit: 100n, swap: 150n } })).toEqual({ MemoryLimit: 100n });
  });
  test("cpu", () => {
    expect(brief("v2", { cpu: { shares: 1024n, quota: 25500n, period: 50000n } })).toEqual({
      CPUWeight: 100n,
      CPUQuotaPeriodUSec: 50000n,
      CPUQuotaPerSecUSec: 510000n,
    });
    expect(brief("v2", { cpu: { quota: 333n } })).toEqual({ CPUQuotaPerSecUSec: 10000n });
    expect(brief("v2", { cpu: { quota: -1n } })).toEqual({ CPUQuotaPerSecUSec: INFINITY });
    expect(brief("v1", { cpu: { shares: 7n } })).toEqual({ CPUShares: 7n });
    expect(brief("v2", { cpu: { idle: 1n, shares: 7n } })).toEqual({ CPUWeight: 0n });
    expect(brief("v2", { cpu: { idle: 1n } }, { ...system, version: 251 })).toEqual({});
    expect(brief("v2", { cpu: { cpus: "0-2,9", mems: "1" } })).toEqual({
      AllowedCPUs: Uint8Array.from([0b111, 0b10]),
      AllowedMemoryNodes: Uint8Array.from([2]),
    });
  });
  test("pids, which systemd knows no 0 of", () => {
    expect([3n, 0n, -1n].map((limit) => brief("v2", { pids: { limit } }).TasksMax)).toEqual([
      3n,
      1n,
      INFINITY,
    ]);
  });
  test("block I/O", () => {
    const device = { major: 8n, minor: 0n };
    const blockIO = {
      weight: 500,
      weightDevice: [{ ...device, weight: 100 }],
      throttleReadIOPSDevice: [{ ...device, rate: 7n }],
    };
    expect(brief("v2", { blockIO })).toEqual({
      IOWeight: 4500n,
      IODeviceWeight: [["/dev/block/8:0", 100n]],
      IOReadIOPSMax: [["/dev/block/8:0", 7n]],
    });
    expect(brief("v1", { blockIO })).toEqual({ BlockIOWeight: 500n });
    // systemd's own conversion to BFQ's weight gives the number back (BFQ_WEIGHT of cgroup-util.h).
    const toBfq = (io: bigint): bigint =>
      io <= 100n ? 100n - ((100n - io) * 99n) / 99n : 100n + ((io - 100n) * 900n) / 9900n;
    for (const weight of [1n, 10n, 100n, 101n, 500n, 999n, 1000n])
      expect(toBfq(convertFromBfq(weight))).toBe(weight);
  });
  test("unified, over what it repeats", () => {
    const unified = {
      "memory.high": "max",
      "memory.max": "9",
      "cpu.max": "50000 100000",
      "cpu.weight": "3",
      "pids.max": "0",
      "cpuset.cpus": "1",
      "io.max": "8:0 rbps=1",
      "memory.oom.group": "1",
    };
    expect(brief("v2", { memory: { limit: 5n }, unified })).toEqual({
      MemoryHigh: INFINITY,
      MemoryMax: 9n,
      CPUQuotaPeriodUSec: 100000n,
      CPUQuotaPerSecUSec: 500000n,
      CPUWeight: 3n,
      TasksMax: 1n,
      AllowedCPUs: Uint8Array.from([2]),
    });
    expect(() => brief("v2", { unified: { "memory.high": "lots" } })).toThrow(
      'linux.resources.unified["memory.high"]: "lots" is no number',
    );
  });
  test("lists", () => {
    expect(listToBits("0")).toEqual(Uint8Array.from([1]));
    expect(listToBits("15, 3")).toEqual(Uint8Array.from([8, 128]));
    expect(() => listToBits("a")).toThrow("is not a list");
  });
});

describe("devices", () => {
  const rule = (major: bigint, minor: bigint): DeviceRule => ({
    allow: true,
    type: "c",
    major,
    minor,
    access: "rw",
  });
  test("a list is a list", () => {
    const [policy, none, list] = planDeviceProperties([rule(10n, 229n), rule(4n, -1n)]);
    expect([policy?.value, none?.value]).toEqual(["strict", []]);
    expect(list?.value).toContainEqual(["/dev/char/10:229", "rw"]);
    expect(list?.value).toContainEqual(["char-4", "rw"]);
    expect(list?.value).toContainEqual(["char-*", "m"]);
    expect(list?.value).toContainEqual(["/dev/char/1:3", "rwm"]);
  });
  test("what systemd cannot say is left to the filter", () => {
    for (const rules of [[{ allow: true, access: "rwm" }], [rule(-1n, 5n)]])
      expect(planDeviceProperties(rules).map(({ value }) => value)).toEqual(["auto", []]);
  });
});

test("the plan: tasks are limited late, annotations become properties", () => {
  const plan = planCgroup(v2, {
    id: "web",
    systemd: system,
    resources: { pids: { limit: 1n } },
    annotations: {
      "org.systemd.property.TimeoutStopSec": "uint64 123",
      "org.systemd.property.After": "['a.service']",
      other: "x",
    },
  });
  expect(plan.unit?.properties.slice(-5, -3)).toEqual([
    { name: "TimeoutStopUSec", signature: "t", value: 123000000n },
    { name: "After", signature: "as", value: ["a.service"] },
  ]);
  expect(plan.unit?.lateProperties.map(({ name }) => name)).toEqual(["TasksMax"]);
  const lines = describeCgroupPlan(plan);
  expect(lines[0]).toStartWith(
    'host  StartTransientUnit(tsrunc-web.scope: Description="tsrunc container web" Slice=',
  );
  expect(lines.at(-2)).toBe("host  SetUnitProperties(tsrunc-web.scope: TasksMax=1)  # linux.resources");
  const bad = (annotations: Record<string, string>) => () =>
    planCgroup(v2, { id: "web", systemd: system, annotations });
  expect(bad({ "org.systemd.property.a1b": "1" })).toThrow("of letters only");
  expect(bad({ "org.systemd.property.RuntimeMaxSec": "'x'" })).toThrow(
    'annotations["org.systemd.property.RuntimeMaxSec"]: not a number',
  );
});
