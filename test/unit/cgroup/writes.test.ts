// Every resource of config-linux.md "Control groups": what it becomes on v1 and on v2.
import { describe, expect, test } from "bun:test";
import { planWrites } from "../../../src/cgroup/plan.ts";
import type { CgroupWrite } from "../../../src/cgroup/types.ts";
import type { Resources } from "../../../src/spec/resources.ts";
import { device, ROWS } from "./writes-rows.ts";

/** `hierarchy file=value`; `*` after it: retried; `?`: may be missing; `| file=value`: instead of a missing one. */
function brief({ hierarchy, file, value, ifMissing, ifInvalid }: CgroupWrite): string {
  const other = typeof ifMissing === "object" ? ` | ${ifMissing.file}=${ifMissing.value}` : "";
  return `${hierarchy} ${file}=${value}${ifInvalid ? "*" : ""}${ifMissing === "skip" ? "?" : ""}${other}`;
}

function plan(mode: "v1" | "v2", resources: Resources): string[] {
  try {
    return planWrites(mode, resources).map(brief);
  } catch (error) {
    return [`!${(error as Error).message}`];
  }
}

describe("resources become writes", () => {
  for (const [title, resources, v1, v2] of ROWS) {
    test(title, () => {
      expect(plan("v1", resources)).toEqual(v1);
      expect(plan("v2", resources)).toEqual(v2);
    });
  }
});

test("checkBeforeUpdate compares with the usage on v2 before anything is written", () => {
  const memory = { limit: 4096n, swap: 8192n, checkBeforeUpdate: true };
  expect(planWrites("v2", { memory }).map(({ file, mustExceed }) => [file, mustExceed?.amount])).toEqual([
    ["memory.swap.max", 8192n],
    ["memory.max", 4096n],
  ]);
  expect(planWrites("v2", { memory: { ...memory, limit: -1n, swap: -1n } })[0]?.mustExceed).toBeUndefined();
  expect(planWrites("v1", { memory }).some((write) => write.mustExceed)).toBe(false);
});

test("each write names the member that asked for it", () => {
  const paths = (resources: Resources): string[] => planWrites("v2", resources).map(({ why }) => why);
  expect(paths({ memory: { limit: -1n, swap: 5n } })).toEqual([
    "linux.resources.memory.swap",
    "linux.resources.memory.limit",
  ]);
  expect(paths({ blockIO: { throttleReadBpsDevice: [{ ...device, rate: 1n }] } })).toEqual([
    "linux.resources.blockIO.throttleReadBpsDevice[0]",
  ]);
  expect(paths({ rdma: { "a b": { hcaObjects: 1 } }, unified: { "io.max": "x" } })).toEqual([
    'linux.resources.rdma["a b"]',
    'linux.resources.unified["io.max"]',
  ]);
});
