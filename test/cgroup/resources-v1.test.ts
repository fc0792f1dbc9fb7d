// Resources but memory in the files of this host: a v1 or hybrid layout, root.
import { describe, expect, test } from "bun:test";
import type { Resources } from "../../src/spec/resources.ts";
import { firstDisk, has, hasFile, update } from "./resources-v1.ts";
import { isV1, openCgroups, read } from "./v1.ts";

const { create } = openCgroups();

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
