// `update` on a v1 or hybrid host: every option, files and stdin, what stays, what an error leaves.
import { describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isPeer, openSandbox, waitFor } from "./harness.ts";
import { isV1, MB, openUpdates, ROOT } from "./update.ts";

const box = openSandbox("update");
const { create, read, remove, file } = openUpdates(box);

describe.skipIf(!isV1)("options", () => {
  const rows: [string[], Record<string, string>][] = [
    [["--memory", "64M"], { "memory.limit_in_bytes": String(64 * MB) }],
    [
      ["--memory=64m", "--memory-swap=128MB"],
      { "memory.limit_in_bytes": String(64 * MB), "memory.memsw.limit_in_bytes": String(128 * MB) },
    ],
    [["--memory-reservation", "1.5G"], { "memory.soft_limit_in_bytes": String(1536 * MB) }],
    [["--cpu-share", "300"], { "cpu.shares": "300" }],
    [
      ["--cpu-period", "50000", "--cpu-quota", "20000"],
      { "cpu.cfs_period_us": "50000", "cpu.cfs_quota_us": "20000" },
    ],
    [["--cpu-rt-period", "500000", "--cpu-rt-runtime", "1000"], { "cpu.rt_runtime_us": "1000" }],
    [["--cpuset-cpus", "0", "--cpuset-mems", "0"], { "cpuset.cpus": "0", "cpuset.mems": "0" }],
    [["--pids-limit", "55"], { "pids.max": "55" }],
    [["--pids-limit", "-1"], { "pids.max": "max" }],
    [["--blkio-weight", "432"], { "blkio.bfq.weight": "432" }],
  ];
  const younger: typeof rows = [
    [["--cpu-quota", "20000", "--cpu-burst", "1000"], { "cpu.cfs_burst_us": "1000" }],
    [["--cpu-idle", "1"], { "cpu.idle": "1" }],
  ];
  for (const [args, expected] of isPeer ? rows : [...rows, ...younger]) {
    test(args.join(" "), async () => {
      const id = await create();
      await box.ok(["update", ...args, id]);
      for (const [name, value] of Object.entries(expected)) {
        // Kernels without a file for BFQ's weight, or realtime groups.
        if (existsSync(`${ROOT}/${name.split(".", 1)[0]}/${id}/${name}`))
          expect(read(id, name)).toEndWith(value);
      }
      await remove(id);
    });
  }

  test("kernel memory is ignored with a warning", async () => {
    const id = await create();
    const { stderr } = await box.ok(["update", "--kernel-memory", "50M", id]);
    if (!isPeer) expect(stderr).toContain("kernel memory settings are ignored");
    await remove(id);
  });
});

describe.skipIf(!isV1)("resources", () => {
  const text = JSON.stringify({ memory: { limit: 80 * MB }, pids: { limit: 44 }, cpu: { shares: 777 } });

  test("from a file, relative to the working directory; other options are ignored", async () => {
    const id = await create();
    writeFileSync(join(box.directory, "relative.json"), text);
    await box.ok(["update", "--resources", "relative.json", "--pids-limit", "3", id], { cwd: box.directory });
    expect(read(id, "memory.limit_in_bytes")).toBe(String(80 * MB));
    expect(read(id, "pids.max")).toBe("44");
    expect(read(id, "cpu.shares")).toBe("777");
    await remove(id);
  });

  test("from stdin", async () => {
    const id = await create();
    for (const args of [["--resources=-"], ["--resources", "-"], ["-r", "-"]]) {
      await box.ok(["update", ...args, id], { stdin: text });
      expect(read(id, "cpu.shares")).toBe("777");
      await box.ok(["update", "--cpu-share", "5", id]);
    }
    await remove(id);
  });

  test("a lone container's own processes feel it", async () => {
    const id = await create({ pids: { limit: 100 } }, [
      "sh",
      "-c",
      "while sleep 0.05 & wait $!; do :; done; echo refused; sleep 100",
    ]);
    await box.ok(["start", id]);
    await box.ok(["update", "--pids-limit", "1", id]);
    await waitFor("the limit", () =>
      /max [1-9]/.test(readFileSync(`${ROOT}/pids/${id}/pids.events`, "utf8")),
    );
    await remove(id);
  });
});

describe.skipIf(!isV1 || isPeer)("what is absent stays", () => {
  test("and later updates know what earlier ones have set", async () => {
    const id = await create({
      cpu: { quota: 30000, period: 60000, shares: 512 },
      memory: { limit: 64 * MB },
    });
    await box.ok(["update", "--cpu-quota", "45000", id]);
    expect([read(id, "cpu.cfs_quota_us"), read(id, "cpu.cfs_period_us")]).toEqual(["45000", "60000"]);
    expect(read(id, "memory.limit_in_bytes")).toBe(String(64 * MB));
    await box.ok(["update", "--cpu-idle", "1", id]);
    await box.ok(["update", "--cpu-idle", "0", id]);
    expect(read(id, "cpu.shares")).toBe("512");
    await remove(id);
  });

  test("what another has written since is not undone", async () => {
    const id = await create({ cpu: { shares: 512 }, pids: { limit: 10 } });
    writeFileSync(`${ROOT}/cpu/${id}/cpu.shares`, "600");
    await box.ok(["update", "--pids-limit", "11", id]);
    expect(read(id, "cpu.shares")).toBe("600");
    await remove(id);
  });

  test("zeros ask for nothing, as Docker and containerd send them", async () => {
    const id = await create({
      cpu: { shares: 512, quota: 20000, period: 40000 },
      memory: { limit: 64 * MB },
    });
    const zeros = {
      cpu: { shares: 0, quota: 0, period: 0, cpus: "" },
      memory: { limit: 0, swap: 0 },
      blockIO: { weight: 0 },
    };
    await box.ok(["update", "-r", file(JSON.stringify(zeros)), id]);
    expect(read(id, "cpu.shares")).toBe("512");
    expect(read(id, "cpu.cfs_quota_us")).toBe("20000");
    await box.ok(["update", "--cpu-period", "80000", id]);
    expect([read(id, "cpu.cfs_quota_us"), read(id, "cpu.cfs_period_us")]).toEqual(["20000", "80000"]);
    await remove(id);
  });
});

describe.skipIf(!isV1)("errors", () => {
  test("a container that does not exist, or has stopped", async () => {
    const absent = await box.run(["update", "--pids-limit", "1", "nobody"]);
    expect(absent).toMatchObject({ status: 1 });
    expect(absent.stderr).toContain("container does not exist");
    const id = await create({}, ["true"]);
    await box.ok(["start", id]);
    await waitFor("its end", async () => (await box.run(["state", id])).stdout.includes('"stopped"'));
    const stopped = await box.run(["update", "--pids-limit", "1", id]);
    expect(stopped).toMatchObject({ status: 1 });
    expect(stopped.stderr).toContain("container not running");
    await remove(id);
  });

  test.skipIf(isPeer)("what the kernel refuses leaves everything as it was", async () => {
    const id = await create({ memory: { limit: 64 * MB }, cpu: { shares: 512 }, pids: { limit: 9 } });
    const bad = {
      memory: { limit: 96 * MB, swap: 200 * MB },
      cpu: { shares: 600, quota: 1 },
      pids: { limit: 10 },
    };
    const result = await box.run(["update", "-r", file(JSON.stringify(bad)), id]);
    expect(result.status).toBe(1);
    expect(result.stderr).toContain(
      'linux.resources.cpu.quota: write \\"1\\" to cpu.cfs_quota_us: invalid argument',
    );
    expect(read(id, "memory.limit_in_bytes")).toBe(String(64 * MB));
    expect(BigInt(read(id, "memory.memsw.limit_in_bytes"))).toBeGreaterThan(1n << 60n);
    expect([read(id, "cpu.shares"), read(id, "pids.max")]).toEqual(["512", "9"]);
    await box.ok(["update", "--cpu-period", "50000", id]);
    expect(read(id, "cpu.cfs_quota_us")).toBe("-1");
    await remove(id);
  });

  test.skipIf(isPeer)("what fails last leaves everything as it was, and is all that is told", async () => {
    const id = await create({ memory: { limit: 64 * MB }, pids: { limit: 9 } });
    const throttleReadBpsDevice = [{ major: 999, minor: 0, rate: 5 }];
    const bad = { memory: { limit: 32 * MB }, pids: { limit: 10 }, blockIO: { throttleReadBpsDevice } };
    const result = await box.run(["update", "-r", file(JSON.stringify(bad)), id]);
    expect(result.status).toBe(1);
    expect(result.stderr).toContain("blkio.throttle.read_bps_device: no such device");
    expect(result.stderr).not.toContain("and back");
    expect([read(id, "memory.limit_in_bytes"), read(id, "pids.max")]).toEqual([String(64 * MB), "9"]);
    expect(existsSync(join(box.root, id, "resources.json"))).toBe(false);
    await box.ok(["update", "--cpu-idle", "1", id]);
    const idle = await box.run(["update", "--cpu-share", "100", id]);
    expect(idle.status).toBe(1);
    expect(idle.stderr).toContain("to cpu.shares: invalid argument");
    expect(idle.stderr).not.toContain("and back");
    await remove(id);
  });

  test.skipIf(isPeer)("a state that cannot be kept leaves everything as it was", async () => {
    const id = await create({ pids: { limit: 9 } });
    const inTheWay = join(box.root, id, "resources.json.new");
    mkdirSync(inTheWay);
    const result = await box.run(["update", "--pids-limit", "10", id]);
    expect(result.status).toBe(1);
    expect(result.stderr).toContain("container's resources");
    expect(read(id, "pids.max")).toBe("9");
    rmdirSync(inTheWay);
    await box.ok(["update", "--pids-limit", "10", id]);
    expect(read(id, "pids.max")).toBe("10");
    await remove(id);
  });

  test.skipIf(isPeer)("values that are none", async () => {
    const id = await create();
    const rows: [string[], string][] = [
      [["--memory", "lots"], "invalid value for memory: invalid size"],
      [["--cpu-share", "1.5"], "invalid value for cpu-share"],
      [["--cpu-period", "-1"], "cpu.period: must be from 0 to"],
      [["--cpu-idle", "2"], "cpu.idle: must be 0 or 1, not 2"],
      [["--cpuset-cpus", "a"], "cpu.cpus: must be a list of numbers"],
      [["--memory-swap", "-2"], "invalid value for memory-swap"],
      [["--mem-bw-schema", "L3:0=f"], "invalid value for mem-bw-schema"],
      [["-r", "/nowhere"], "no such file or directory"],
      [["-r", file("{")], "line 1, column 2"],
      [["-r", file('{"unified":{"memory.high":"1"}}')], "cannot use unified on cgroup v1"],
    ];
    for (const [args, message] of rows) {
      const result = await box.run(["update", ...args, id]);
      expect({ args, status: result.status }).toEqual({ args, status: 1 });
      expect(result.stderr).toContain(message);
    }
    await remove(id);
  });
});
