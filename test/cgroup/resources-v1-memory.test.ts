// Memory in the files of this host, a v1 or hybrid layout, root; and updates that are done whole or not at all.
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { killCgroup } from "../../src/cgroup/control.ts";
import { planWrites } from "../../src/cgroup/plan.ts";
import { rewriteResources } from "../../src/cgroup/rewrite.ts";
import type { CgroupRecord } from "../../src/cgroup/types.ts";
import { waitUntil } from "../../src/cgroup/wait.ts";
import type { Resources } from "../../src/spec/resources.ts";
import { firstDisk, has, hasFile, update } from "./resources-v1.ts";
import { openCgroups, read } from "./v1.ts";

const { create } = openCgroups();

const MB = 1048576n;

describe.skipIf(!has("memory"))("memory", () => {
  const hasSwap = hasFile("memory", "memory.memsw.limit_in_bytes");

  test.skipIf(!hasSwap)("limit and swap go up and down in any step", () => {
    const record = create({ memory: { limit: 64n * MB, swap: 128n * MB } });
    const steps: [bigint, bigint][] = [
      [256n, 512n],
      [16n, 16n],
      [300n, 300n],
      [8n, 1024n],
      [1024n, 1024n],
      [64n, 128n],
    ];
    for (const [limit, swap] of steps) {
      update(record, { memory: { limit: limit * MB, swap: swap * MB } });
      expect(read(record, "memory", "memory.limit_in_bytes")).toBe(String(limit * MB));
      expect(read(record, "memory", "memory.memsw.limit_in_bytes")).toBe(String(swap * MB));
    }
    update(record, { memory: { limit: -1n } });
    const unlimited = read(record, "memory", "memory.limit_in_bytes");
    expect(BigInt(unlimited)).toBeGreaterThan(1n << 60n);
    expect(read(record, "memory", "memory.memsw.limit_in_bytes")).toBe(unlimited);
  });

  test.skipIf(!hasSwap)("a swap below the limit stays an error", () => {
    expect(() => create({ memory: { limit: 64n * MB, swap: 32n * MB } })).toThrow(
      `linux.resources.memory.swap: write "${32n * MB}" to memory.memsw.limit_in_bytes: invalid argument`,
    );
  });

  test("reservation, swappiness, OOM killer", () => {
    const record = create({ memory: { reservation: 32n * MB, swappiness: 7n, disableOOMKiller: true } });
    expect(read(record, "memory", "memory.soft_limit_in_bytes")).toBe(String(32n * MB));
    expect(read(record, "memory", "memory.swappiness")).toBe("7");
    expect(read(record, "memory", "memory.oom_control")).toContain("oom_kill_disable 1");
    update(record, { memory: { reservation: -1n, swappiness: 0n, disableOOMKiller: false } });
    expect(BigInt(read(record, "memory", "memory.soft_limit_in_bytes"))).toBeGreaterThan(1n << 60n);
    expect(read(record, "memory", "memory.swappiness")).toBe("0");
    expect(read(record, "memory", "memory.oom_control")).toContain("oom_kill_disable 0");
  });
});

describe.skipIf(!has("memory"))("all or nothing", () => {
  const files = {
    memory: [
      "memory.limit_in_bytes",
      "memory.soft_limit_in_bytes",
      "memory.swappiness",
      "memory.oom_control",
    ],
    cpu: ["cpu.shares", "cpu.cfs_quota_us", "cpu.cfs_period_us"],
    blkio: ["blkio.throttle.read_bps_device", "blkio.throttle.write_bps_device"],
  };
  const readAll = (record: CgroupRecord): string[] =>
    Object.entries(files).flatMap(([hierarchy, names]) => names.map((name) => read(record, hierarchy, name)));
  const [major, minor] = (firstDisk ?? ["0", "0"]).map(BigInt) as [bigint, bigint];
  const throttle = (rate: bigint) => (firstDisk === undefined ? [] : [{ major, minor, rate }]);

  test("what was written before an error is set back", () => {
    const record = create({
      memory: { limit: 64n * MB, reservation: 32n * MB, swappiness: 5n },
      cpu: { shares: 300n, quota: 20000n, period: 40000n },
      blockIO: { throttleReadBpsDevice: throttle(4096n) },
    });
    const before = readAll(record);
    const change: Resources = {
      memory: { limit: 512n * MB, reservation: -1n, swappiness: 9n, disableOOMKiller: true },
      cpu: { shares: 700n, quota: 90000n, period: 100000n },
      blockIO: { throttleReadBpsDevice: throttle(8192n), throttleWriteBpsDevice: throttle(8192n) },
      hugepageLimits: [{ pageSize: "3MB", limit: 1n }],
    };
    expect(() => rewriteResources(record, planWrites(record.mode, change))).toThrow(
      "linux.resources.hugepageLimits[0]",
    );
    expect(readAll(record)).toEqual(before);
  });

  test("a limit below what cannot be reclaimed: the kernel's error, and the usage", async () => {
    const record = create({ memory: { limit: 256n * MB, swap: 256n * MB } });
    const holder = Bun.spawn(
      [
        "bash",
        "-c",
        `echo $$ > ${record.paths.memory}/cgroup.procs; x=$(head -c 40000000 /dev/zero | tr '\\0' x); echo ready; sleep 100; :`, // not the last command, for which bash would make room
      ],
      { stdout: "pipe" },
    );
    await holder.stdout.getReader().read();
    const usage = (): number => Number(readFileSync(`${record.paths.memory}/memory.usage_in_bytes`, "utf8"));
    expect(waitUntil(() => usage() > 30_000_000, 5000)).toBe(true);
    expect(() => update(record, { memory: { limit: 4n * MB } })).toThrow(
      /memory.limit: write "4194304" to memory.limit_in_bytes: device or resource busy \(current usage: \d{8,}\)/,
    );
    killCgroup(record);
    await holder.exited;
  });
});
