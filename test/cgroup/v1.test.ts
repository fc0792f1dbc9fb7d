// Cgroups of this host: a v1 or hybrid layout, root.
import { afterEach, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { isFrozen, killCgroup, readCgroupPids, removeCgroup, setFreezer } from "../../src/cgroup/control.ts";
import { createCgroup, writeLateLimits } from "../../src/cgroup/create.ts";
import { readCgroupLayout } from "../../src/cgroup/layout.ts";
import { planCgroup } from "../../src/cgroup/plan.ts";
import { planSelfJoin } from "../../src/cgroup/self-join.ts";
import type { CgroupPlan, CgroupRecord } from "../../src/cgroup/types.ts";
import { waitUntil } from "../../src/cgroup/wait.ts";
import type { Resources } from "../../src/spec/resources.ts";

import { joinCgroup } from "./join.ts";

const layout = readCgroupLayout();
const isV1 = (layout.mode === "v1" || layout.mode === "hybrid") && process.getuid?.() === 0;
const isHybrid = isV1 && layout.mode === "hybrid";
const base = `tsrunc-test-${process.pid}`;

let count = 0;
const records: CgroupRecord[] = [];
const sleepers: Bun.Subprocess[] = [];

function plan(resources: Resources = {}, cgroupsPath = `/${base}-${count++}`): CgroupPlan {
  const made = planCgroup(layout, { id: "test", cgroupsPath, resources });
  records.push(made.record);
  return made;
}

function create(resources: Resources = {}, cgroupsPath?: string): CgroupRecord {
  const made = plan(resources, cgroupsPath);
  createCgroup(made);
  writeLateLimits(made);
  return made.record;
}

function start(...command: string[]): Bun.Subprocess {
  const child = Bun.spawn(command.length > 0 ? command : ["sleep", "100"]);
  sleepers.push(child);
  return child;
}

const read = (record: CgroupRecord, hierarchy: string, file: string): string =>
  readFileSync(`${record.paths[hierarchy]}/${file}`, "utf8").trim();

/** Directories with this test's names in any hierarchy. */
function findLeftovers(): string[] {
  const mountPoints = [...layout.controllers.values(), ...(layout.unified ? [layout.unified] : [])].map(
    (h) => h.mountPoint,
  );
  return [...new Set(mountPoints)].flatMap((mountPoint) =>
    readdirSync(mountPoint)
      .filter((name) => name.startsWith(base))
      .map((name) => `${mountPoint}/${name}`),
  );
}

afterEach(async () => {
  for (const record of records.splice(0)) {
    if (isFrozen(record)) setFreezer(record, false);
    killCgroup(record);
    removeCgroup(record);
  }
  for (const child of sleepers.splice(0)) {
    child.kill("SIGKILL");
    await child.exited;
  }
  // Directories above a container's are left, as with every runtime.
  for (const dir of findLeftovers()) rmdirSync(dir);
});

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
    expect(() => createCgroup(planCgroup(layout, { id: "x", cgroupsPath: `/${base}-${count - 1}` }))).toThrow(
      "container's cgroup is not empty: 2 process(es) found",
    );
    expect(readCgroupPids(record).length).toBe(2);
  });

  test("processes below count, and one hierarchy is enough", () => {
    const record = create();
    const below = `${record.paths.pids}/below`;
    mkdirSync(below);
    writeFileSync(`${below}/cgroup.procs`, String(start().pid));
    expect(() => createCgroup(planCgroup(layout, { id: "x", cgroupsPath: `/${base}-${count - 1}` }))).toThrow(
      "container's cgroup is not empty: 1 process(es) found",
    );
  });

  test("an empty cgroup that exists is taken", () => {
    create();
    createCgroup(planCgroup(layout, { id: "x", cgroupsPath: `/${base}-${count - 1}` }));
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
    const joined = lines.filter((line) => line.endsWith(`:/${base}-${count - 1}`));
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
    const joined = (): number => lines().filter((line) => line.endsWith(`:/${base}-${count - 1}`)).length;
    const expected = Object.keys(record.paths).length - (isHybrid ? 1 : 0);
    expect(waitUntil(() => joined() === expected, 2000)).toBe(true);
    expect(cloneInto).toBe(record.paths.unified);
  });
});

/** State of a process: field 3 of /proc/PID/stat. */
const isStopped = (pid: number): boolean => / T \d/.test(readFileSync(`/proc/${pid}/stat`, "utf8"));

describe.skipIf(!isV1)("freezing and signalling", () => {
  test("a frozen container is frozen, a thawed one is not", async () => {
    const record = create();
    const child = start();
    joinCgroup(record, child.pid);
    expect(isFrozen(record)).toBe(false);
    setFreezer(record, true);
    expect(isFrozen(record)).toBe(true);
    expect(read(record, "freezer", "freezer.state")).toBe("FROZEN");
    child.kill("SIGTERM");
    await Bun.sleep(30);
    expect(child.exitCode ?? child.signalCode).toBeNull();
    setFreezer(record, false);
    expect(isFrozen(record)).toBe(false);
    await child.exited;
    expect(child.signalCode).toBe("SIGTERM");
  });

  test("one that is frozen from above is not frozen itself", () => {
    const parent = create({}, `/${base}-p`);
    const record = create({}, `/${base}-p/c`);
    setFreezer(parent, true);
    expect(read(record, "freezer", "freezer.state")).toBe("FROZEN");
    expect(isFrozen(record)).toBe(false);
    setFreezer(parent, false);
    removeCgroup(record);
  });

  test("a signal reaches each process, also below", async () => {
    const record = create();
    const children = [start(), start()];
    for (const child of children) joinCgroup(record, child.pid);
    const below = `${record.paths.devices}/below`;
    mkdirSync(below);
    writeFileSync(`${below}/cgroup.procs`, String(children[0]?.pid));
    killCgroup(record, 10);
    for (const child of children) {
      await child.exited;
      expect(child.signalCode).toBe("SIGUSR1");
    }
    expect(isFrozen(record)).toBe(false);
  });

  test("a frozen container stays frozen, but for SIGKILL", async () => {
    const record = create();
    const child = start();
    joinCgroup(record, child.pid);
    setFreezer(record, true);
    killCgroup(record, 19);
    expect(isFrozen(record)).toBe(true);
    expect(isStopped(child.pid)).toBe(false);
    killCgroup(record, 9);
    await child.exited;
    expect(child.signalCode).toBe("SIGKILL");
    expect(isFrozen(record)).toBe(false);
  });

  test.skipIf(!isHybrid)("SIGKILL finds a process that left the cgroup2 hierarchy", async () => {
    const record = create();
    const [stays, leaves] = [start(), start()];
    joinCgroup(record, stays.pid);
    joinCgroup(record, leaves.pid);
    writeFileSync(`${layout.unified?.mountPoint}/cgroup.procs`, String(leaves.pid));
    killCgroup(record);
    await Promise.all([stays.exited, leaves.exited]);
    expect([stays.signalCode, leaves.signalCode]).toEqual(["SIGKILL", "SIGKILL"]);
  });

  test("SIGKILL without cgroup2: processes that fork all the time", async () => {
    const { unified, ...v1Layout } = layout;
    const made = planCgroup({ ...v1Layout, mode: "v1" }, { id: "x", cgroupsPath: `/${base}-forks` });
    records.push(made.record);
    createCgroup(made);
    // Joins before it forks, so that none stays outside; ends by itself.
    const { taskFiles } = planSelfJoin(made.record);
    const join = `for f in ${taskFiles.join(" ")}; do echo 0 > $f; done`;
    const storm = "f() { for ((i = 0; i < 2000; i++)); do sleep 0.01 & done; }; f & f & wait";
    const child = start("bash", "-c", `${join}; ${storm}`);
    expect(waitUntil(() => readCgroupPids(made.record).length > 5, 2000)).toBe(true);
    killCgroup(made.record);
    await child.exited;
    removeCgroup(made.record, 2000);
  });

  test("this process is never frozen by its own hand", () => {
    const made = planCgroup(layout, { id: "x", cgroupsPath: `/${base}-self` });
    const home = readFileSync("/proc/self/cgroup", "utf8");
    createCgroup(made);
    const dir = made.record.paths.devices ?? "";
    writeFileSync(`${dir}/cgroup.procs`, String(process.pid));
    try {
      expect(() => killCgroup(made.record, 15)).toThrow("this process is one of them");
      expect(isFrozen(made.record)).toBe(false);
    } finally {
      const own = /:devices:(.*)/.exec(home)?.[1] ?? "/";
      writeFileSync(
        `${layout.controllers.get("devices")?.mountPoint}${own}/cgroup.procs`,
        String(process.pid),
      );
      removeCgroup(made.record);
    }
  });

  test("all of it does nothing to a cgroup that is gone", () => {
    const record = create();
    removeCgroup(record);
    expect(isFrozen(record)).toBe(false);
    expect(readCgroupPids(record)).toEqual([]);
    setFreezer(record, true);
    killCgroup(record);
    killCgroup(record, 15);
    removeCgroup(record);
  });
});

describe.skipIf(!isV1)("removing", () => {
  test("nested cgroups go too", () => {
    const record = create();
    mkdirSync(`${record.paths.pids}/a/b/c`, { recursive: true });
    mkdirSync(`${record.paths.pids}/d`);
    mkdirSync(`${record.paths.unified ?? record.paths.pids}/x/y`, { recursive: true });
    removeCgroup(record);
    expect(findLeftovers()).toEqual([]);
  });

  test("a nest that is deeper than a path may be long", () => {
    const record = create();
    const child = Bun.spawnSync([
      "bash",
      "-c",
      `cd ${record.paths.pids}; for i in {1..40}; do mkdir ${"n".repeat(150)}; cd ${"n".repeat(150)}; done; sleep 100 >/dev/null 2>&1 & echo $! > cgroup.procs; echo $!`,
    ]);
    const pid = Number(child.stdout.toString());
    expect(pid).toBeGreaterThan(0);
    killCgroup(record);
    removeCgroup(record);
    // Its new parent may not have reaped it yet.
    if (existsSync(`/proc/${pid}`)) expect(readFileSync(`/proc/${pid}/stat`, "utf8")).toMatch(/ [ZX] /);
    expect(findLeftovers()).toEqual([]);
  });

  test("a cgroup in use is an error when the time is over, and the rest is removed", () => {
    const record = create();
    const { pid } = start();
    writeFileSync(`${record.paths.memory}/cgroup.procs`, String(pid));
    const before = performance.now();
    expect(() => removeCgroup(record, 100)).toThrow(
      `remove the container's cgroup: rmdir("${record.paths.memory}"): device or resource busy`,
    );
    expect(performance.now() - before).toBeLessThan(1000);
    expect(existsSync(record.paths.pids ?? "")).toBe(false);
  });

  test("waits for a process that is about to end", () => {
    const record = create();
    const child = start("sleep", "0.2");
    joinCgroup(record, child.pid);
    removeCgroup(record, 3000);
    expect(findLeftovers()).toEqual([]);
  });

  test("opens nothing that stays open", () => {
    const before = readdirSync("/proc/self/fd").length;
    for (let i = 0; i < 20; i++) {
      const record = create({ memory: { limit: 67108864n } });
      mkdirSync(`${record.paths.pids}/a/b`, { recursive: true });
      readCgroupPids(record);
      killCgroup(record);
      removeCgroup(record);
    }
    expect(waitUntil(() => readdirSync("/proc/self/fd").length <= before, 500)).toBe(true);
  });
});
