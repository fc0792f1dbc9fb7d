// Statistics: texts of files in, numbers and runc's JSON out.
import { describe, expect, test } from "bun:test";
import { parseCounter, parseIoStat, parsePressure, parseRanges } from "../../../src/cgroup/stats-text.ts";
import type { CgroupStats } from "../../../src/cgroup/stats-types.ts";
import { collectStatsV1 } from "../../../src/cgroup/stats-v1.ts";
import { collectStatsV2 } from "../../../src/cgroup/stats-v2.ts";
import { describeStats } from "../../../src/container/event-stats.ts";
import { formatJson } from "../../../src/spec/json.ts";
import { loadRuncLine, loadStatFiles } from "./stat-files.ts";

const MAX = 18446744073709551615n;

function withoutPressure({ cpu, memory, io, ...rest }: CgroupStats): CgroupStats {
  const strip = <T extends { pressure?: unknown }>({ pressure, ...others }: T): Omit<T, "pressure"> => others;
  return { cpu: strip(cpu), memory: strip(memory), io: strip(io), ...rest } as CgroupStats;
}

const readRunc = (version: "v1" | "v2"): { data: Record<string, Record<string, unknown>> } =>
  JSON.parse(loadRuncLine(version)) as { data: Record<string, Record<string, unknown>> };

describe("v1", () => {
  const stats = collectStatsV1(loadStatFiles("v1"));

  test("the same line as runc's, but for pressure, which runc does not read", () => {
    const data = describeStats(withoutPressure(stats));
    expect(formatJson({ type: "stats", id: "rc-a", data }).replace("rc-a", "a")).toBe(
      loadRuncLine("v1").replace("rc-a", "a"),
    );
  });

  test("pressure comes from cgroup2 beside it", () => {
    expect(stats.cpu.pressure).toEqual({
      some: { avg10: 11.22, avg60: 2.37, avg300: 0.5, total: 1534010n },
      full: { avg10: 11.22, avg60: 2.37, avg300: 0.5, total: 1533850n },
    });
    expect(stats.memory.pressure?.some.total).toBe(0n);
    expect(stats.io.pressure?.full.total).toBe(427n);
    const alone = collectStatsV1(loadStatFiles("v1", { "unified/cpu.pressure": null }));
    expect(alone.cpu.pressure).toBeUndefined();
  });

  test("bfq's counters go before those of the throttling layer, with all of a debugging kernel", () => {
    const change = {
      "blkio/blkio.bfq.sectors_recursive": "8:0 2024\n8:16 1\n",
      "blkio/blkio.bfq.io_service_time_recursive": "8:0 Read 7\nTotal 7\n",
      "blkio/blkio.bfq.io_serviced_recursive": "8:0 Read 3\nTotal 3\n",
      "blkio/blkio.bfq.io_service_bytes_recursive": "8:0 Read 4096\nTotal 4096\n",
    };
    const { io } = collectStatsV1(loadStatFiles("v1", change));
    expect(io.sectors).toEqual([
      { major: 8n, minor: 0n, op: "", value: 2024n },
      { major: 8n, minor: 16n, op: "", value: 1n },
    ]);
    expect(io.serviceTime).toEqual([{ major: 8n, minor: 0n, op: "Read", value: 7n }]);
    expect(io.serviced).toEqual([{ major: 8n, minor: 0n, op: "Read", value: 3n }]);
    expect(io.queued).toEqual([]);
    const plain = collectStatsV1(
      loadStatFiles("v1", { ...change, "blkio/blkio.bfq.sectors_recursive": null }),
    );
    expect(plain.io.serviceBytes).toEqual([{ major: 8n, minor: 0n, op: "Read", value: 4096n }]);
    expect(plain.io.serviceTime).toEqual([]);
  });

  test("without swap and kernel accounting, without reservations of huge pages, without a limit of pids", () => {
    const files = loadStatFiles("v1", {
      "memory/memory.memsw.usage_in_bytes": null,
      "memory/memory.kmem.usage_in_bytes": null,
      "hugetlb/hugetlb.2MB.rsvd.usage_in_bytes": null,
      "hugetlb/hugetlb.2MB.usage_in_bytes": "4194304\n",
      "pids/pids.max": "max\n",
    });
    const { memory, hugetlb, pids } = collectStatsV1(files);
    const nothing = { usage: 0n, max: 0n, failcnt: 0n, limit: 0n };
    expect([memory.swap, memory.kernel]).toEqual([nothing, nothing]);
    expect(hugetlb.get("2MB")).toEqual({ usage: 4194304n, max: 0n, failcnt: 0n });
    expect(pids).toEqual({ current: 1n, limit: 0n });
  });

  test("a cgroup that is gone has used nothing", () => {
    const none = collectStatsV1({ read: () => undefined, list: () => [] });
    expect(formatJson(describeStats(none))).toBe(
      '{"cpu":{"usage":{"kernel":0,"user":0}},"cpuset":{"cpu_exclusive":0,"mem_hardwall":0,"mem_exclusive":0,' +
        '"memory_migrate":0,"memory_spread_page":0,"memory_spread_slab":0,"memory_pressure":0,' +
        '"sched_load_balance":0,"sched_relax_domain_level":0},"memory":{},"pids":{},"blkio":{},"hugetlb":{},' +
        '"intel_rdt":{},"network_interfaces":null}',
    );
  });
});

describe("v2", () => {
  const stats = collectStatsV2(loadStatFiles("v2"));

  test("the same data as runc's, which reads neither pressure nor peaks yet", () => {
    const ours = JSON.parse(formatJson(describeStats(withoutPressure(stats)))) as Record<string, unknown>;
    const { data } = readRunc("v2");
    const { raw, usage, swap, ...rest } = ours.memory as Record<string, unknown>;
    const theirs = data.memory as Record<"usage" | "swap" | "raw", object>;
    expect(usage).toEqual({ ...theirs.usage, max: 23756800 });
    expect(swap).toEqual(theirs.swap);
    expect(Object.keys(raw as object)).toEqual(Object.keys(theirs.raw ?? {}));
    expect(rest).toEqual({ cache: 21360640 });
    for (const name of ["cpuset", "pids", "blkio", "hugetlb", "cpu"]) expect(ours[name]).toEqual(data[name]);
  });

  test("pressure", () => {
    expect(stats.cpu.pressure?.full).toEqual({ avg10: 26.32, avg60: 6.29, avg300: 1.37, total: 4111933n });
    expect(stats.io.pressure?.some.total).toBe(258n);
  });

  test("swap is told together with memory, as on v1", () => {
    const limited = collectStatsV2(
      loadStatFiles("v2", { "unified/memory.swap.max": "1000\n", "unified/memory.swap.current": "24\n" }),
    );
    expect(limited.memory.swap).toEqual({ usage: 22278168n, max: 0n, failcnt: 0n, limit: 67109864n });
    const boundless = collectStatsV2(
      loadStatFiles("v2", { "unified/memory.max": "max\n", "unified/memory.swap.max": "1000\n" }),
    );
    expect(boundless.memory.swap.limit).toBe(MAX);
    expect(formatJson(describeStats(boundless))).toContain('"usage":{"limit":18446744073709551615,');
  });

  test("without the pids controller the processes are counted", () => {
    const files = loadStatFiles("v2", { "unified/pids.current": null, "unified/cgroup.procs": "1\n22\n" });
    expect(collectStatsV2(files).pids).toEqual({ current: 2n, limit: 0n });
  });

  test("huge pages in use where reservations are not counted, and refusals", () => {
    const files = loadStatFiles("v2", {
      "unified/hugetlb.2MB.rsvd.current": null,
      "unified/hugetlb.2MB.current": "2097152\n",
      "unified/hugetlb.2MB.events": "max 3\n",
    });
    expect(collectStatsV2(files).hugetlb.get("2MB")).toEqual({ usage: 2097152n, max: 0n, failcnt: 3n });
  });
});

describe("texts", () => {
  test("counters", () => {
    expect(parseCounter("a", "9223372036854771712\n")).toBe(9223372036854771712n);
    expect(parseCounter("a", "max\n")).toBe(MAX);
    expect(parseCounter("a", "-4096\n")).toBe(0n);
    for (const text of ["", "1e3", "0x10", "1 2", "nan"])
      expect(() => parseCounter("memory.max", text)).toThrow(
        `read memory.max: not understood: ${JSON.stringify(text)}`,
      );
  });

  test("lists of CPUs", () => {
    expect(parseRanges("a", "0-2,4,7-7\n")).toEqual([0, 1, 2, 4, 7]);
    expect(parseRanges("a", "\n")).toEqual([]);
    expect(() => parseRanges("cpuset.cpus", "0-\n")).toThrow("read cpuset.cpus: not understood");
  });

  test("io.stat: devices without numbers, and a device that the kernel cannot name", () => {
    const text = "8:0 rbytes=1 wbytes=2 cost.usage=3 future=x\n8:16 \n(unknown) rbytes=5\n";
    const [first, second, ...more] = parseIoStat("io.stat", text);
    expect([...(first?.counters ?? [])]).toEqual([
      ["rbytes", 1n],
      ["wbytes", 2n],
      ["cost.usage", 3n],
    ]);
    expect(second?.counters.size).toBe(0);
    expect(more).toEqual([]);
    expect(() => parseIoStat("io.stat", "sda rbytes=1\n")).toThrow(
      'read io.stat: not understood: "sda rbytes=1"',
    );
  });

  test("pressure without the line of all processes, as older kernels have it for the CPU", () => {
    const none = { avg10: 0, avg60: 0, avg300: 0, total: 0n };
    const pressure = parsePressure("cpu.pressure", "some avg10=1.50 avg60=0.00 avg300=0.00 total=7\n");
    expect(pressure).toEqual({ some: { ...none, avg10: 1.5, total: 7n }, full: none });
    expect(() => parsePressure("cpu.pressure", "some avg10=x\n")).toThrow(
      "read cpu.pressure: not understood",
    );
  });

  test("JSON keeps 64-bit integers, and leaves out what is undefined", () => {
    expect(formatJson({ a: MAX, b: undefined, c: [1n, null, "x\n"], d: { e: true } })).toBe(
      '{"a":18446744073709551615,"c":[1,null,"x\\n"],"d":{"e":true}}',
    );
  });
});
