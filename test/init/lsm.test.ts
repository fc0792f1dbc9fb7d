// Security attributes as init writes them. Without a module that answers, the kernel refuses the write itself: that it
// is refused shows that the file was found, in a procfs.
import { describe, expect, test } from "bun:test";
import { labelKeys, labelProcess } from "../../src/compile/lsm.ts";
import { openHostProcfs, openPrivateProcfs } from "../../src/compile/procfs.ts";
import { readLsm } from "../../src/host/lsm.ts";
import { runPlan } from "../../src/host/session.ts";
import { PlanBuilder } from "../../src/plan/build.ts";
import type { Result } from "../../src/plan/step.ts";
import { noHostSteps, startInit, stopInit } from "./init.ts";

const label = "system_u:system_r:container_t:s0:c1,c2";
const both = { apparmor: true, selinux: true };

function errorOf(open: (p: PlanBuilder) => Result, write: (p: PlanBuilder, procfs: Result) => void): string {
  const p = new PlanBuilder();
  write(p, open(p));
  const session = startInit();
  try {
    runPlan(session, p.build(), noHostSteps);
    return "";
  } catch (error) {
    return (error as Error).message;
  } finally {
    stopInit(session);
  }
}

const { apparmor, selinux } = readLsm();
describe.skipIf(apparmor || selinux)("through", () => {
  for (const [name, open] of [
    ["a procfs of its own", openPrivateProcfs],
    ["the host's", openHostProcfs],
  ] as const) {
    test(`${name}: the label of the next execve`, () => {
      expect(errorOf(open, (p, procfs) => labelProcess(p, procfs, { selinuxLabel: label }, both))).toBe(
        `process.selinuxLabel: can't set process label ${label}: invalid argument`,
      );
    });
    test(`${name}: the label of keys`, () => {
      const write = (p: PlanBuilder, procfs: Result): void =>
        labelKeys(p, procfs, { selinuxLabel: label }, () => p.call("setsid", []));
      expect(errorOf(open, write)).toBe(
        `process.selinuxLabel: can't set key label ${label}: invalid argument`,
      );
    });
    test(`${name}: nothing is written for a process without labels`, () => {
      expect(errorOf(open, (p, procfs) => labelProcess(p, procfs, {}, both))).toBe("");
    });
  }
});
