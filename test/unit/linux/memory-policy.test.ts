// linux.memoryPolicy as set_mempolicy(2) takes it.
import { expect, test } from "bun:test";
import { encodeNodes, setMemoryPolicy } from "../../../src/compile/memory-policy.ts";
import { PlanBuilder } from "../../../src/plan/build.ts";
import { printPlan } from "../../../src/plan/print.ts";
import type { Config, MemoryPolicy } from "../../../src/spec/config.ts";

test.each([
  ["0", "0100000000000000"],
  ["0-3,7", "8f00000000000000"],
  [" 1 , 63", "0200000000000080"],
  ["64", "00000000000000000100000000000000"],
  ["62-65", "00000000000000c00300000000000000"],
])("nodes %s", (list, mask) => {
  expect(Buffer.from(encodeNodes(list)).toString("hex")).toBe(mask);
});

function plan(memoryPolicy?: MemoryPolicy): string {
  const p = new PlanBuilder();
  setMemoryPolicy(p, { ociVersion: "1.3.0", root: { path: "r" }, linux: { memoryPolicy } } as Config);
  return printPlan(p.build()).trim();
}

test("the call", () => {
  expect(plan()).toBe("");
  expect(plan({ mode: "MPOL_DEFAULT" })).toBe(
    "init  set_mempolicy(MPOL_DEFAULT, NULL, 0)  # linux.memoryPolicy: set the memory policy MPOL_DEFAULT",
  );
  expect(plan({ mode: "MPOL_INTERLEAVE", nodes: "0-3,7", flags: ["MPOL_F_STATIC_NODES"] })).toBe(
    "init  set_mempolicy(MPOL_INTERLEAVE|MPOL_F_STATIC_NODES, [0-3,7], 65)" +
      "  # linux.memoryPolicy: set the memory policy MPOL_INTERLEAVE of nodes 0-3,7",
  );
});
