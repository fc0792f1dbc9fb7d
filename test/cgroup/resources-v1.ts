// What the tests of resources on a v1 or hybrid host share.
import { existsSync, readFileSync } from "node:fs";
import { removeCgroup } from "../../src/cgroup/control.ts";
import { createCgroup } from "../../src/cgroup/create.ts";
import { planCgroup, planWrites } from "../../src/cgroup/plan.ts";
import type { CgroupRecord } from "../../src/cgroup/types.ts";
import { writeResources } from "../../src/cgroup/write.ts";
import type { Resources } from "../../src/spec/resources.ts";
import { isV1, layout } from "./v1.ts";

export const has = (controller: string): boolean => isV1 && layout.controllers.has(controller);
/** Whether a new cgroup has this file. */
export const hasFile = (controller: string, file: string): boolean => {
  if (!has(controller)) return false;
  const probe = planCgroup(layout, { id: "probe", cgroupsPath: `/tsrunc-probe-${process.pid}` });
  createCgroup(probe);
  const found = existsSync(`${probe.record.paths[controller]}/${file}`);
  removeCgroup(probe.record);
  return found;
};

/** Major and minor number of the host's first disk, if there is one. */
export const firstDisk = readFileSync("/proc/partitions", "utf8")
  .split("\n")
  .map((line) => /^ +(\d+) +(\d+) +\d+ (?:vda|sda|nvme0n1|xvda)$/.exec(line))
  .find((match) => match !== null)
  ?.slice(1, 3);

export const update = (record: CgroupRecord, resources: Resources): void =>
  writeResources(record, planWrites(record.mode, resources));
