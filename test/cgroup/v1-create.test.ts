// Cgroups of this host, a v1 or hybrid layout, root: making and joining them.
import { describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { killCgroup, readCgroupPids, removeCgroup, setFreezer } from "../../src/cgroup/control.ts";
import { createCgroup, writeLateLimits } from "../../src/cgroup/create.ts";
import { planCgroup } from "../../src/cgroup/plan.ts";
import { planSelfJoin } from "../../src/cgroup/self-join.ts";
import { waitUntil } from "../../src/cgroup/wait.ts";
import { joinCgroup } from "./join.ts";
import { isHybrid, isV1, layout, openCgroups, read } from "./v1.ts";

const { base, plan, create, start, lastPath, findLeftovers } = openCgroups();

describe.skipIf(!isV1)("creating", () => {
  test("in every hierarchy, with its limits, and gone after removal", () => {
    const record = create({
      memory: { limit: 67108864n },
      cpu: { shares: 512n, quota: 20000n, period: 50000n },
      pids: { limit: 50n },
    });
    expect(read(record, "memory", "memory.limit_in_bytes")).toBe("67108864");
    expect(read(record, "cpu", "cpu.shares")).toBe("512");
    expect(read(record, "cpu", "cpu.cfs_quota_us")).toBe("20000");
    expect(read(record, "cpu", "cpu.cfs_period_us")).toBe("50000");
    expect(read(record, "pids", "pids.max")).toBe("50");
    expect(read(record, "cpuset", "cpuset.cpus")).not.toBe("");
    for (const dir of Object.values(record.paths)) expect(existsSync(dir)).toBe(true);
    removeCgroup(record);
    for (const dir of Object.values(record.paths)) expect(existsSync(dir)).toBe(false);
    expect(findLeftovers()).toEqual([]);
    removeCgroup(record);
  });

  test("the device list: deny all, the rules, the defaults, by position", () => {
    const record = create({
      devices: [
        { allow: false, access: "rwm" },
        { allow: true, type: "c", major: 10n, minor: 229n, access: "rwm" },
        { allow: true, type: "b", major: 8n, minor: 20n, access: "rw" },
      ],
    });
    expect(read(record, "devices", "devices.list").split("\n")).toEqual([
      "c 10:229 rwm",
      "b 8:20 rw",
      "c *:* m",
      "b *:* m",
      "c 1:3 rwm",
      "c 1:8 rwm",
      "c 1:7 rwm",
      "c 5:0 rwm",
      "c 1:5 rwm",
      "c 1:9 rwm",
      "c 136:* rwm",
      "c 5:2 rwm",
      "c 10:200 rwm",
    ]);
  });

  test("a privileged container's device list", () => {
    expect(read(create({ devices: [{ allow: true, access: "rwm" }] }), "devices", "devices.list")).toBe(
      "a *:* rwm",
    );
  });

  test("directories above are made, also for cpuset, and left", () => {
    const record = create({}, `/${base}-up/a/b`);
    joinCgroup(record, start().pid);
    const above = dirname(record.paths.cpuset ?? "");
    expect(readFileSync(`${above}/cpuset.mems`, "utf8").trim()).not.toBe("");
    killCgroup(record);
    removeCgroup(record);
    expect(existsSync(above)).toBe(true);
    for (const dir of new Set(Object.values(record.paths))) rmdirSync(dirname(dir));
  });

  test("a value that the kernel refuses: names path, value and file, and leaves nothing", () => {
    expect(() => create({ cpu: { quota: 1n } }, `/${base}-up/a`)).toThrow(
      'linux.resources.cpu.quota: write "1" to cpu.cfs_quota_us: invalid argument',
    );
    expect(findLeftovers()).toEqual([]);
  });

  test("a controller that is not there", () => {
    const made = plan();
    const { memory: _, ...paths } = made.record.paths;
    const without = {
      ...made,
      record: { ...made.record, paths },
      directories: made.directories.filter((d) => !d.hierarchies.includes("memory")),
      writes: [
        {
          hierarchy: "memory",
          file: "memory.limit_in_bytes",
          value: "1",
          why: "linux.resources.memory.limit",
        },
      ],
    };
    expect(() => createCgroup(without)).toThrow(
      'linux.resources.memory.limit: write "1" to memory.limit_in_bytes: no such file or directory (there is no memory controller)',
    );
    expect(findLeftovers()).toEqual([]);
  });

  test("a period that fits only with its quota is written again after it", () => {
    const parent = create({ cpu: { quota: 10000n, period: 100000n } }, `/${base}-parent`);
    const child = create({ cpu: { quota: 5000n, period: 100000n } }, `/${base}-parent/child`);
    removeCgroup(child);
    // 5000 of 20000 is more than the parent's tenth; 1500 of 20000 is not.
    mkdirSync(child.paths.cpu ?? "");
    writeFileSync(`${child.paths.cpu}/cpu.cfs_quota_us`, "5000");
    create({ cpu: { quota: 1500n, period: 20000n } }, `/${base}-parent/child`);
    expect(read(child, "cpu", "cpu.cfs_period_us")).toBe("20000");
    expect(read(child, "cpu", "cpu.cfs_quota_us")).toBe("1500");
    removeCgroup(child);
    removeCgroup(parent);
  });

  test("a cgroup with processes is refused, and left as it is", () => {
    const record = create();
    joinCgroup(record, start().pid);
    joinCgroup(record, start().pid);
    expect(() => createCgroup(planCgroup(layout, { id: "x", cgroupsPath: lastPath() }))).toThrow(
      "container's cgroup is not empty: 2 process(es) found",
    );
    expect(readCgroupPids(record).length).toBe(2);
  });

  test("processes below count, and one hierarchy is enough", () => {
    const record = create();
    const below = `${record.paths.pids}/below`;
    mkdirSync(below);
    writeFileSync(`${below}/cgroup.procs`, String(start().pid));
    expect(() => createCgroup(planCgroup(layout, { id: "x", cgroupsPath: lastPath() }))).toThrow(
      "container's cgroup is not empty: 1 process(es) found",
    );
  });

  test("an empty cgroup that exists is taken", () => {
    create();
    createCgroup(planCgroup(layout, { id: "x", cgroupsPath: lastPath() }));
  });

  test("a frozen cgroup is refused, be it frozen itself or from above", () => {
    const record = create({}, `/${base}-frozen`);
    setFreezer(record, true);
    for (const path of [`/${base}-frozen`, `/${base}-frozen/below`]) {
      expect(() => createCgroup(planCgroup(layout, { id: "x", cgroupsPath: path }))).toThrow(
        "container's cgroup unexpectedly frozen",
      );
    }
    expect(existsSync(`${record.paths.freezer}/below`)).toBe(false);
    expect(existsSync(`${record.paths.devices}/below`)).toBe(false);
  });

  test("pids.limit 1 holds for a process that joined before", async () => {
    const made = plan({ pids: { limit: 1n } });
    createCgroup(made);
    const child = start("sh", "-c", "read go; /bin/true && echo forked || echo refused");
    child.kill("SIGSTOP");
    joinCgroup(made.record, child.pid);
    writeLateLimits(made);
    expect(read(made.record, "pids", "pids.max")).toBe("1");
    expect(read(made.record, "pids", "pids.current")).toBe("1");
  });
});

describe.skipIf(!isV1)("joining", () => {
  test("puts a process into every hierarchy", () => {
    const record = create();
    const { pid } = start();
    joinCgroup(record, pid);
    expect(readCgroupPids(record)).toEqual([pid]);
    const lines = readFileSync(`/proc/${pid}/cgroup`, "utf8").trim().split("\n");
    const joined = lines.filter((line) => line.endsWith(`:${lastPath()}`));
    expect(joined.length).toBe(Object.keys(record.paths).length);
  });

  test("a process that moves itself, and on cgroup2 is made in its place", async () => {
    const record = create();
    const { taskFiles, cloneInto } = planSelfJoin(record);
    const child = start(
      "bash",
      "-c",
      `for f in ${taskFiles.join(" ")}; do echo 0 > $f; done; exec sleep 100`,
    );
    const lines = (): string[] => readFileSync(`/proc/${child.pid}/cgroup`, "utf8").trim().split("\n");
    const joined = (): number => lines().filter((line) => line.endsWith(`:${lastPath()}`)).length;
    const expected = Object.keys(record.paths).length - (isHybrid ? 1 : 0);
    expect(waitUntil(() => joined() === expected, 2000)).toBe(true);
    expect(cloneInto).toBe(record.paths.unified);
  });
});
