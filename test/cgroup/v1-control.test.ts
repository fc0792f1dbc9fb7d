// Cgroups of this host, a v1 or hybrid layout, root: freezing, signalling and removing them.
import { describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { isFrozen, killCgroup, readCgroupPids, removeCgroup, setFreezer } from "../../src/cgroup/control.ts";
import { createCgroup } from "../../src/cgroup/create.ts";
import { planCgroup } from "../../src/cgroup/plan.ts";
import { planSelfJoin } from "../../src/cgroup/self-join.ts";
import { waitUntil } from "../../src/cgroup/wait.ts";
import { joinCgroup } from "./join.ts";
import { isHybrid, isV1, layout, openCgroups, read } from "./v1.ts";

const { base, records, create, start, findLeftovers } = openCgroups();

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

  test("an ordinary user's processes are found in the hierarchies that they are in", () => {
    const { devices: _, ...paths } = create().paths;
    const child = start();
    writeFileSync(`${paths.pids}/cgroup.procs`, String(child.pid));
    expect(readCgroupPids({ driver: "cgroupfs", mode: "v1", paths })).toEqual([child.pid]);
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
