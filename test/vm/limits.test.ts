// Limits on cgroup2, enforced by the kernel: a container meets each of them.
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { openSandbox, readStatus, waitFor } from "../e2e/harness.ts";
import { readCgroup, readCounter, readDisk, withContainer } from "./cgroups.ts";

const box = openSandbox("vm-limits");
const MIB = 1024 * 1024;
const SLEEP = ["sleep", "1000"];

test("memory: a process beyond memory.max is killed, events tells of it, the container lives on", () =>
  withContainer(box, SLEEP, { memory: { limit: 16 * MIB, swap: 16 * MIB } }, async (id) => {
    expect(readCgroup(id, "memory.max")).toBe(String(16 * MIB));
    expect(readCgroup(id, "memory.swap.max")).toBe("0");
    const events = box.start(["events", "--interval", "1h", id]);
    await Bun.sleep(1000);
    const eater = await box.run(["exec", id, "dd", "if=/dev/zero", "of=/dev/null", "bs=64M", "count=1"]);
    expect(eater.status).toBe(137);
    await waitFor("the event", () => events.stdout() !== "");
    expect(readCounter(id, "memory.events", "oom_kill")).toBe(1);
    expect(readCounter(id, "memory.peak".replace("peak", "events"), "max")).toBeGreaterThan(0);
    expect(Number(readCgroup(id, "memory.peak"))).toBeLessThanOrEqual(16 * MIB);
    expect(await readStatus(box, id)).toBe("running");
    // What fits is not touched.
    const modest = await box.run(["exec", id, "dd", "if=/dev/zero", "of=/dev/null", "bs=4M", "count=1"]);
    expect(modest.status).toBe(0);
    await box.ok(["kill", id, "KILL"]);
    expect((await events.result).stdout).toBe(`{"type":"oom","id":"${id}"}\n`);
  }));

test("cpu: the quota throttles, and the container has that share of a CPU", () =>
  withContainer(
    box,
    ["timeout", "30", "sh", "-c", "while true; do true; done"],
    { cpu: { quota: 20_000, period: 100_000 } },
    async (id) => {
      expect(readCgroup(id, "cpu.max")).toBe("20000 100000");
      await waitFor("its start", () => readCounter(id, "cpu.stat", "nr_periods") > 2);
      const [before, begin] = [readCounter(id, "cpu.stat", "usage_usec"), performance.now()];
      await Bun.sleep(3000);
      const share = (readCounter(id, "cpu.stat", "usage_usec") - before) / 1000 / (performance.now() - begin);
      expect(share).toBeGreaterThan(0.1);
      expect(share).toBeLessThan(0.3);
      expect(readCounter(id, "cpu.stat", "nr_throttled")).toBeGreaterThan(10);
      const { data } = JSON.parse((await box.ok(["events", "--stats", id])).stdout);
      expect(data.cpu.throttling.throttledPeriods).toBeGreaterThan(10);
    },
  ));

test("pids: forks beyond pids.max fail, and only the container's", () =>
  withContainer(
    box,
    // 40 forks at most; what runs ends by itself.
    ["sh", "-c", "i=0; while [ $i -lt 40 ]; do sleep 20 & i=$((i+1)); done; wait"],
    { pids: { limit: 10 } },
    async (id) => {
      expect(readCgroup(id, "pids.max")).toBe("10");
      await waitFor("refusals", () => readCounter(id, "pids.events", "max") > 0, 20_000);
      expect(Number(readCgroup(id, "pids.current"))).toBeLessThanOrEqual(10);
      expect((await box.run(["exec", id, "true"])).status).not.toBe(137);
      expect(Bun.spawnSync(["true"]).exitCode).toBe(0);
    },
  ));

test("io: writes to the disk keep to io.max", async () => {
  const disk = readDisk();
  const throttle = { throttleWriteBpsDevice: [{ ...disk, rate: 2 * MIB }] };
  const write = ["dd", "if=/dev/zero", "of=/file", "bs=1M", "count=8", "conv=fsync"];
  const time = async (id: string): Promise<number> => {
    const begin = performance.now();
    await box.ok(["exec", id, ...write]);
    return (performance.now() - begin) / 1000;
  };
  await withContainer(box, SLEEP, { blockIO: throttle }, async (id) => {
    expect(readCgroup(id, "io.max")).toBe(
      `${disk.major}:${disk.minor} rbps=max wbps=${2 * MIB} riops=max wiops=max`,
    );
    expect(await time(id)).toBeGreaterThan(2.5);
    const [line = ""] = (await box.ok(["stats", "--no-stream", "--json", id])).stdout.split("\n");
    expect(JSON.parse(line).io.written).toBeGreaterThanOrEqual(8 * MIB);
  });
  await withContainer(box, SLEEP, {}, async (id) => expect(await time(id)).toBeLessThan(2.5));
}, 120_000);

test("cpuset: the container runs on its CPU", () =>
  withContainer(box, SLEEP, { cpu: { cpus: "1", mems: "0" } }, async (id) => {
    expect(readCgroup(id, "cpuset.cpus.effective")).toBe("1");
    expect(readCgroup(id, "cpuset.mems")).toBe("0");
    const { stdout } = await box.ok(["exec", id, "grep", "Cpus_allowed_list", "/proc/self/status"]);
    expect(stdout).toBe("Cpus_allowed_list:\t1\n");
  }));

describe("huge pages", () => {
  const pages = "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages";
  /** Maps this many huge pages with the guest's python3. */
  const map = (count: number): string =>
    `import mmap; m = mmap.mmap(-1, ${count} << 21, flags=0x40022); m[0] = 1; print("mapped")`;

  test("beyond the limit cannot be reserved", async () => {
    const before = readFileSync(pages, "utf8");
    writeFileSync(pages, "4");
    try {
      const limits = [{ pageSize: "2MB", limit: 2 * MIB }];
      await withContainer(
        box,
        SLEEP,
        { hugepageLimits: limits },
        async (id) => {
          expect(readCgroup(id, "hugetlb.2MB.max")).toBe(String(2 * MIB));
          expect(readCgroup(id, "hugetlb.2MB.rsvd.max")).toBe(String(2 * MIB));
          expect((await box.ok(["exec", id, "/usr/bin/python3", "-c", map(1)])).stdout).toBe("mapped\n");
          const beyond = await box.run(["exec", id, "/usr/bin/python3", "-c", map(2)]);
          expect(beyond.stderr).toContain("Cannot allocate memory");
        },
        (config) => {
          config.mounts.push({ destination: "/usr", type: "none", source: "/usr", options: ["bind", "ro"] });
          for (const name of ["lib", "lib64"])
            config.mounts.push({
              destination: `/${name}`,
              type: "none",
              source: `/usr/${name}`,
              options: ["bind", "ro"],
            });
        },
      );
    } finally {
      writeFileSync(pages, before);
    }
  });
});

test("freezing: cgroup.freeze, and what cgroup.events tells of it", () =>
  withContainer(box, SLEEP, {}, async (id) => {
    await box.ok(["pause", id]);
    expect(readCgroup(id, "cgroup.freeze")).toBe("1");
    expect(readCounter(id, "cgroup.events", "frozen")).toBe(1);
    await box.ok(["resume", id]);
    expect(readCgroup(id, "cgroup.freeze")).toBe("0");
    await waitFor("the thaw", () => readCounter(id, "cgroup.events", "frozen") === 0);
  }));

describe("rdma: a device in software", () => {
  const call = (...command: string[]): void => {
    const { exitCode, stderr } = Bun.spawnSync(command);
    if (exitCode !== 0) throw new Error(`${command.join(" ")}: ${stderr}`);
  };
  beforeAll(() => {
    call("modprobe", "--all", "dummy", "rdma_rxe");
    call("ip", "link", "add", "rdma0", "type", "dummy");
    call("ip", "link", "set", "rdma0", "up");
    call("rdma", "link", "add", "rxe0", "type", "rxe", "netdev", "rdma0");
  });
  afterAll(() => {
    call("rdma", "link", "delete", "rxe0");
    call("ip", "link", "delete", "rdma0");
  });

  test("has the limits of its handles and objects, and an update's; another device is refused", () =>
    withContainer(box, SLEEP, { rdma: { rxe0: { hcaHandles: 3, hcaObjects: 10_000 } } }, async (id) => {
      expect(readCgroup(id, "rdma.max")).toBe("rxe0 hca_handle=3 hca_object=10000");
      const update = (rdma: object) =>
        box.run(["update", "--resources", "-", id], { stdin: JSON.stringify({ rdma }) });
      expect(await update({ rxe0: { hcaObjects: 20 } })).toMatchObject({ status: 0, stderr: "" });
      expect(readCgroup(id, "rdma.max")).toBe("rxe0 hca_handle=3 hca_object=20");
      const refused = await update({ nowhere: { hcaObjects: 1 } });
      expect(refused.status).toBe(1);
      expect(refused.stderr).toContain("linux.resources.rdma");
      expect(readCgroup(id, "rdma.max")).toBe("rxe0 hca_handle=3 hca_object=20");
    }));
});
