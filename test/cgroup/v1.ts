// Cgroups of this host for a file of tests: a v1 or hybrid layout, root.
import { afterEach } from "bun:test";
import { readdirSync, readFileSync, rmdirSync } from "node:fs";
import { isFrozen, killCgroup, removeCgroup, setFreezer } from "../../src/cgroup/control.ts";
import { createCgroup, writeLateLimits } from "../../src/cgroup/create.ts";
import { readCgroupLayout } from "../../src/cgroup/layout.ts";
import { planCgroup } from "../../src/cgroup/plan.ts";
import type { CgroupPlan, CgroupRecord } from "../../src/cgroup/types.ts";
import type { Resources } from "../../src/spec/resources.ts";

export const layout = readCgroupLayout();
export const isV1 = (layout.mode === "v1" || layout.mode === "hybrid") && process.getuid?.() === 0;
export const isHybrid = isV1 && layout.mode === "hybrid";

export const read = (record: CgroupRecord, hierarchy: string, file: string): string =>
  readFileSync(`${record.paths[hierarchy]}/${file}`, "utf8").trim();

/** Gives functions that make cgroups and processes; after each test these are gone. */
export function openCgroups() {
  const base = `tsrunc-test-${process.pid}`;

  let count = 0;
  const records: CgroupRecord[] = [];
  const sleepers: Bun.Subprocess[] = [];

  /** The path of the last one that was made without a path. */
  const lastPath = (): string => `/${base}-${count - 1}`;

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

  return { base, records, plan, create, start, lastPath, findLeftovers };
}
