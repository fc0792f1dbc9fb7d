// The same resources under tsrunc, runc and crun on cgroup v2: the same files of the cgroup have the same values. Where a
// peer differs, the row says what the spec wants; conversions of v1's numbers are those of runc and crun today, which
// Debian's versions are older than.
import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { ALIKE, compareWithPeers, device, type Row } from "../e2e/compare-resources.ts";
import { isPeer, openSandbox } from "../e2e/harness.ts";

const box = openSandbox("resources2");
const MB = 1048576;

/** Both peers differ in these files, for the same reason. */
const both = (why: string, ...files: string[]): NonNullable<Row["differs"]> => ({
  runc: { files, why },
  crun: { files, why },
});
const WEIGHT = both(
  "an older conversion, in which the default of one is not that of the other",
  "cpu.weight",
);
const LINES = "the kernel takes one line at a time";

const rows: readonly Row[] = [
  ...ALIKE,
  { title: "swappiness", resources: { memory: { swappiness: 10 } }, refused: "memory.swappiness" },
  {
    title: "no OOM killer",
    resources: { memory: { disableOOMKiller: true } },
    refused: "memory.disableOOMKiller",
  },
  { title: "swap without a limit", resources: { memory: { swap: MB } }, refused: "memory.swap" },
  { title: "shares", resources: { cpu: { shares: 256 } }, differs: WEIGHT },
  { title: "the default shares", resources: { cpu: { shares: 1024 } }, differs: WEIGHT },
  { title: "the most shares", resources: { cpu: { shares: 262144 } } },
  { title: "a period alone", resources: { cpu: { period: 50000 } } },
  { title: "no quota", resources: { cpu: { quota: -1, period: 50000 } } },
  {
    title: "a burst",
    resources: { cpu: { quota: 30000, period: 60000, burst: 10000 } },
    differs: both("younger than these versions", "cpu.max.burst"),
  },
  {
    title: "idle",
    resources: { cpu: { idle: 1 } },
    differs: { runc: { files: ["cpu.weight", "cpu.idle"], why: "younger than this version" } },
  },
  { title: "realtime", resources: { cpu: { realtimeRuntime: 1000 } }, refused: "cpu.realtimeRuntime" },
  { title: "no limit of pids", resources: { pids: { limit: -1 } } },
  {
    title: "0 pids",
    resources: { pids: { limit: 0 } },
    differs: both("0 is a limit since runtime-spec 1.3", "pids.max"),
  },
  { title: "a weight of block I/O", resources: { blockIO: { weight: 321 } } },
  { title: "a leaf weight", resources: { blockIO: { leafWeight: 100 } }, refused: "blockIO.leafWeight" },
  {
    title: "huge pages",
    resources: { hugepageLimits: [{ pageSize: "2MB", limit: 4 * MB }] },
    differs: both("does not limit reservations, the spec's default", "hugetlb.2MB.rsvd.max"),
  },
  { title: "a class of network traffic", resources: { network: { classID: 1 } }, refused: "network.classID" },
  {
    title: "unified",
    resources: { unified: { "memory.high": "50000000", "pids.max": "99", "cpu.weight": "7" } },
  },
  {
    title: "unified, in any order, over the other members",
    resources: {
      unified: { "cpu.max.burst": "20000", "cpu.max": "40000 80000", "memory.max": "70000000" },
      memory: { limit: 64 * MB },
    },
  },
  {
    title: "unified lines",
    resources: {
      unified: {
        "io.max": `${device.major}:${device.minor} rbps=1000000\n${device.major}:${device.minor} wiops=50`,
      },
    },
    differs: {
      runc: { refuses: "invalid argument", why: LINES },
      crun: { refuses: "Invalid argument", why: LINES },
    },
  },
  {
    title: "unified controller that is not there",
    resources: { unified: { "nothing.max": "1" } },
    refused: "the nothing controller is not available here",
  },
  {
    title: "unified path",
    resources: { unified: { "../pids.max": "1" } },
    refused: "is not the name of a file",
  },
  {
    title: "all at once",
    resources: {
      memory: { limit: 256 * MB, swap: 512 * MB, reservation: 128 * MB },
      cpu: { shares: 1024, quota: 50000, period: 100000, cpus: "0", mems: "0" },
      pids: { limit: 1000 },
    },
    differs: WEIGHT,
  },
];

describe.skipIf(!existsSync("/sys/fs/cgroup/cgroup.controllers") || isPeer)("the files of the cgroup", () => {
  for (const row of rows) test(row.title, () => compareWithPeers(box, row));

  test("there are at least 25 configs", () => expect(rows.length).toBeGreaterThanOrEqual(25));
});
