// The same resources under the executable under test, runc and crun: the same files of the cgroup have the same
// values (v1 and hybrid hosts; test/vm has v2). Where a peer differs, the row says what the spec wants.
import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { ALIKE, compareWithPeers, type Row } from "./compare-resources.ts";
import { isPeer, openSandbox } from "./harness.ts";

const box = openSandbox("resources");
const MB = 1048576;
const RESERVED = ["hugetlb.2MB.rsvd.limit_in_bytes", "hugetlb.1GB.rsvd.limit_in_bytes"];

const rows: readonly Row[] = [
  ...ALIKE,
  { title: "swappiness", resources: { memory: { swappiness: 10 } } },
  { title: "swappiness 0", resources: { memory: { swappiness: 0 } } },
  { title: "no OOM killer", resources: { memory: { limit: 64 * MB, disableOOMKiller: true } } },
  { title: "an OOM killer", resources: { memory: { limit: 64 * MB, disableOOMKiller: false } } },
  { title: "kernel memory", resources: { memory: { kernel: 32 * MB, kernelTCP: 32 * MB } } },
  { title: "shares", resources: { cpu: { shares: 256 } } },
  {
    title: "no quota",
    resources: { cpu: { quota: -1, period: 50000 } },
    differs: {
      crun: {
        refuses: "Numerical result out of range",
        why: "-1 is no limit; this version writes it as an unsigned number",
      },
    },
  },
  {
    title: "a burst",
    resources: { cpu: { quota: 30000, period: 60000, burst: 10000 } },
    differs: {
      runc: { files: ["cpu.cfs_burst_us"], why: "younger than this version" },
      crun: { files: ["cpu.cfs_burst_us"], why: "younger than this version" },
    },
  },
  {
    title: "idle",
    resources: { cpu: { idle: 1 } },
    differs: { runc: { files: ["cpu.shares", "cpu.idle"], why: "younger than this version" } },
  },
  { title: "idle 0 and shares", resources: { cpu: { idle: 0, shares: 512 } } },
  { title: "realtime", resources: { cpu: { realtimePeriod: 500000, realtimeRuntime: 2000 } } },
  { title: "cpus", resources: { cpu: { cpus: "0" } } },
  {
    title: "no limit of pids",
    resources: { pids: { limit: -1 } },
    differs: {
      crun: { refuses: "Invalid argument", why: "-1 is no limit; this version writes it as it stands" },
    },
  },
  {
    title: "0 pids",
    resources: { pids: { limit: 0 } },
    differs: {
      runc: { files: ["pids.max"], why: "0 is a limit since runtime-spec 1.3" },
      crun: { files: ["pids.max"], why: "0 is a limit since runtime-spec 1.3" },
    },
  },
  {
    title: "a weight of block I/O",
    resources: { blockIO: { weight: 321 } },
    differs: { crun: { refuses: "No such file or directory", why: "this version knows CFQ only" } },
  },
  {
    title: "huge pages",
    resources: {
      hugepageLimits: [
        { pageSize: "2MB", limit: 4 * MB },
        { pageSize: "1GB", limit: 1024 * MB },
      ],
    },
    // Reservations are what the spec limits by default; these versions limit use only.
    differs: {
      runc: { files: RESERVED, why: "does not limit reservations" },
      crun: { files: RESERVED, why: "does not limit reservations" },
    },
  },
  {
    title: "all at once",
    resources: {
      memory: { limit: 256 * MB, swap: 512 * MB, reservation: 128 * MB },
      cpu: { shares: 2048, quota: 50000, period: 100000, cpus: "0", mems: "0" },
      pids: { limit: 1000 },
      blockIO: { weight: 500 },
    },
    differs: { crun: { refuses: "No such file or directory", why: "this version knows CFQ only" } },
  },
];

describe.skipIf(!existsSync("/sys/fs/cgroup/memory") || isPeer)("the files of the cgroup", () => {
  for (const row of rows) test(row.title, () => compareWithPeers(box, row));

  test("there are at least 25 configs", () => expect(rows.length).toBeGreaterThanOrEqual(25));
});
