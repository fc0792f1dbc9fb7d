import { expect, test } from "bun:test";
import { PlanBuilder } from "../../../src/plan/build.ts";
import { findBatchEnd } from "../../../src/plan/cut.ts";

const add = (p: PlanBuilder, count: number): void => {
  for (let i = 0; i < count; i++) p.call("getpid", []);
};

test("a batch ends before a step of the host lane, and at the plan's end", () => {
  const p = new PlanBuilder();
  add(p, 3);
  p.host({ do: "record-process" });
  add(p, 2);
  const { steps } = p.build();
  expect(findBatchEnd(steps, 0)).toBe(3);
  expect(findBatchEnd(steps, 4)).toBe(6);
});

test("a long one ends, but not where a jump leads across", () => {
  const p = new PlanBuilder();
  add(p, 4090);
  p.call("openat", [0, "x", 0], { tolerate: ["ENOENT"], onSuccess: () => add(p, 100) });
  add(p, 5000);
  const { steps } = p.build();
  const end = findBatchEnd(steps, 0);
  expect(end).toBe(4191);
  expect(findBatchEnd(steps, end)).toBe(end + 4096);
  expect(findBatchEnd(steps, end + 4096)).toBe(steps.length);
});
