// Resources in the files of this host: a v1 or hybrid layout, root.
import { afterEach, describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { killCgroup, removeCgroup } from "../../src/cgroup/control.ts";
import { createCgroup, writeLateLimits } from "../../src/cgroup/create.ts";
import { readCgroupLayout } from "../../src/cgroup/layout.ts";
import { planCgroup, planWrites } from "../../src/cgroup/plan.ts";
import { rewriteResources } from "../../src/cgroup/rewrite.ts";
import type { CgroupRecord } from "../../src/cgroup/types.ts";
import { waitUntil } from "../../src/cgroup/wait.ts";
import { writeResources } from "../../src/cgroup/write.ts";
import type { Resources } from "../../src/spec/resources.ts";

const layout = readCgroupLayout();
const isV1 = (layout.mode === "v1" || layout.mode === "hybrid") && process.getuid?.() === 0;
const has = (controller: string): boolean => isV1 && layout.controllers.has(controller);
/** A file that every cgroup but the root has. */
const hasFile = (controller: string, file: string): boolean => {
  if (!has(controller)) return false;
  const probe = planCgroup(layout, { id: "probe", cgroupsPath: `/tsrunc-probe-${process.pid}` });
  createCgroup(probe);
  const found = existsSync(`${probe.record.paths[controller]}/${file}`);
  removeCgroup(probe.record);
  return found;
};
const firstDisk = readFileSync("/proc/partitions", "utf8")
  .split("\n")
  .map((line) => /^ +(\d+) +(\d+) +\d+ (?:vda|sda|nvme0n1|xvda)$/.exec(line))
  .find((match) => match !== null)
  ?.slice(1, 3);

const records: CgroupRecord[] = [];
let count = 0;

function create(resources: Resources): CgroupRecord {
  const plan = planCgroup(layout, {
    id: "x",
    cgroupsPath: `/tsrunc-res-${process.pid}-${count++}`,
    resources,
  });
  records.push(plan.record);
  createCgroup(plan);
  writeLateLimits(plan);
  return plan.record;
}

const update = (record: CgroupRecord, resources: Resources): void =>
  writeResources(record, planWrites(record.mode, resources));

const read = (record: CgroupRecord, hierarchy: string, file: string): string =>
  readFileSync(`${record.paths[hierarchy]}/${file}`, "utf8").trim();

afterEach(() => {
  for (const record of records.splice(0)) {
    killCgroup(record);
    removeCgroup(record);
  }
});

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

describe.skipIf(!has("cpu"))("cpu", () => {
  test.skipIf(!hasFile("cpu", "cpu.cfs_burst_us"))("quota and burst go up and down in any step", () => {
    const record = create({ cpu: { quota: 10000n, period: 100000n, burst: 5000n } });
    const steps: [bigint, bigint, bigint][] = [
      [90000n, 50000n, 80000n],
      [20000n, 100000n, 1000n],
      [50000n, 50000n, 50000n],
      [5000n, 200000n, 0n],
    ];
    for (const [quota, period, burst] of steps) {
      update(record, { cpu: { quota, period, burst } });
      expect(read(record, "cpu", "cpu.cfs_quota_us")).toBe(String(quota));
      expect(read(record, "cpu", "cpu.cfs_period_us")).toBe(String(period));
      expect(read(record, "cpu", "cpu.cfs_burst_us")).toBe(String(burst));
    }
  });

  test.skipIf(!hasFile("cpu", "cpu.rt_runtime_us"))("realtime period and runtime", () => {
    const record = create({ cpu: { realtimePeriod: 500000n, realtimeRuntime: 1000n } });
    expect(read(record, "cpu", "cpu.rt_period_us")).toBe("500000");
    expect(read(record, "cpu", "cpu.rt_runtime_us")).toBe("1000");
    // 1000 of 900 is refused: this period fits only with the smaller runtime.
    update(record, { cpu: { realtimePeriod: 900n, realtimeRuntime: 100n } });
    expect(read(record, "cpu", "cpu.rt_period_us")).toBe("900");
    update(record, { cpu: { realtimePeriod: 1000000n, realtimeRuntime: 2000n } });
    expect(read(record, "cpu", "cpu.rt_runtime_us")).toBe("2000");
  });

  test.skipIf(!hasFile("cpu", "cpu.idle"))("idle and shares in any order", () => {
    const record = create({ cpu: { idle: 1n, shares: 512n } });
    expect(read(record, "cpu", "cpu.idle")).toBe("1");
    update(record, { cpu: { idle: 1n, shares: 300n } });
    update(record, { cpu: { idle: 0n, shares: 700n } });
    expect(read(record, "cpu", "cpu.shares")).toBe("700");
    expect(read(record, "cpu", "cpu.idle")).toBe("0");
  });

  test.skipIf(!has("cpuset"))("cpus and mems", () => {
    const record = create({ cpu: { cpus: "0", mems: "0" } });
    expect(read(record, "cpuset", "cpuset.cpus")).toBe("0");
    expect(read(record, "cpuset", "cpuset.mems")).toBe("0");
    expect(() => update(record, { cpu: { cpus: "4000" } })).toThrow(
      'linux.resources.cpu.cpus: write "4000" to cpuset.cpus: ',
    );
  });
});

describe.skipIf(!has("blkio") || firstDisk === undefined)("block I/O", () => {
  const [major, minor] = (firstDisk ?? ["0", "0"]).map(BigInt) as [bigint, bigint];
  const files = ["read_bps", "write_bps", "read_iops", "write_iops"];

  test("limits of a device are set and lifted", () => {
    const limit = (rate: bigint): Resources => ({
      blockIO: {
        throttleReadBpsDevice: [{ major, minor, rate }],
        throttleWriteBpsDevice: [{ major, minor, rate }],
        throttleReadIOPSDevice: [{ major, minor, rate }],
        throttleWriteIOPSDevice: [{ major, minor, rate }],
      },
    });
    const record = create(limit(1048576n));
    const show = (): string[] => files.map((name) => read(record, "blkio", `blkio.throttle.${name}_device`));
    expect(show()).toEqual(files.map(() => `${major}:${minor} 1048576`));
    update(record, limit(0n));
    expect(show()).toEqual(files.map(() => ""));
  });

  test.skipIf(!hasFile("blkio", "blkio.bfq.weight"))("the weight, in the file that the kernel has", () => {
    const record = create({ blockIO: { weight: 321 } });
    expect(read(record, "blkio", "blkio.bfq.weight")).toContain("321");
  });

  test.skipIf(hasFile("blkio", "blkio.leaf_weight"))("a file that the kernel lacks is an error", () => {
    expect(() => create({ blockIO: { leafWeight: 100 } })).toThrow(
      'linux.resources.blockIO.leafWeight: write "100" to blkio.leaf_weight: no such file or directory',
    );
  });

  test("a device that does not exist is an error with its place", () => {
    const throttleWriteBpsDevice = [{ major: 4000n, minor: 1n, rate: 1n }];
    expect(() => create({ blockIO: { throttleWriteBpsDevice } })).toThrow(
      'linux.resources.blockIO.throttleWriteBpsDevice[0]: write "4000:1 1" to blkio.throttle.write_bps_device: ',
    );
  });
});

test.skipIf(!hasFile("hugetlb", "hugetlb.2MB.rsvd.limit_in_bytes"))("huge pages: used and reserved", () => {
  const record = create({ hugepageLimits: [{ pageSize: "2MB", limit: 4194304n }] });
  expect(read(record, "hugetlb", "hugetlb.2MB.limit_in_bytes")).toBe("4194304");
  expect(read(record, "hugetlb", "hugetlb.2MB.rsvd.limit_in_bytes")).toBe("4194304");
});

describe.skipIf(!isV1)("what is not there is an error with its path", () => {
  test.skipIf(has("net_cls"))("net_cls", () => {
    expect(() => create({ network: { classID: 1 } })).toThrow(
      'linux.resources.network.classID: write "1" to net_cls.classid: no such file or directory (there is no net_cls controller)',
    );
  });
  test.skipIf(has("net_prio"))("net_prio", () => {
    expect(() => create({ network: { priorities: [{ name: "lo", priority: 1 }] } })).toThrow(
      'linux.resources.network.priorities[0]: write "lo 1" to net_prio.ifpriomap: no such file or directory (there is no net_prio controller)',
    );
  });
  test.skipIf(has("rdma"))("rdma", () => {
    expect(() => create({ rdma: { mlx5_1: { hcaHandles: 1 } } })).toThrow("there is no rdma controller");
  });
  test("a size of huge pages", () => {
    expect(() => create({ hugepageLimits: [{ pageSize: "3MB", limit: 1n }] })).toThrow(
      'linux.resources.hugepageLimits[0]: write "1" to hugetlb.3MB.limit_in_bytes: no such file or directory',
    );
  });
});
