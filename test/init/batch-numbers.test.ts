// init alone: the number that ties a report to its batch, and what is kept of batches that were sent.
import { expect, test } from "bun:test";
import { startHelper } from "../../src/compile/helper.ts";
import { runBatch } from "../../src/host/session.ts";
import { NULL, PlanBuilder, struct, u64 } from "../../src/plan/build.ts";
import type { InitStep } from "../../src/plan/step.ts";
import { withInit } from "./init.ts";

const build = (add: (p: PlanBuilder) => void): readonly InitStep[] => {
  const p = new PlanBuilder();
  add(p);
  return p.build().steps as readonly InitStep[];
};

for (const first of [0, 0xff, 0xffff, 0xfff_ffff, 0xffff_fffc])
  test(`reports after ${first} batches are told from each other`, () => {
    withInit((session) => {
      session.log.count = first;
      const harmless = build((p) => void p.call("getpid", []));
      for (let i = 0; i < 2; i++) runBatch(session, harmless, 0);
      const failing = build((p) => void p.call("chdir", ["/nonexistent"]));
      expect(() => runBatch(session, failing, 0)).toThrow('chdir("/nonexistent"): no such file or directory');
      expect(session.log.count).toBe(first + 3);
    });
  });

test("a helper's failure is that of its own step, 70,000 batches later too; nothing else is kept", () => {
  withInit((session) => {
    const made = new PlanBuilder();
    const { writing } = startHelper(made, 1, (_told) => {
      made.at("mounts[7]", "help", () => made.call("chdir", ["/nonexistent"]));
    });
    runBatch(session, made.build().steps as readonly InitStep[], 0);
    for (let i = 0; i < 10; i++)
      runBatch(
        session,
        build((p) => void p.call("getpid", [])),
        0,
      );
    expect(session.log.helped.size).toBe(1);
    session.log.count += 70_000;
    const waiting = build((p) => {
      p.call("write", [writing, "x", 1]);
      p.call("ppoll", [NULL, 0, struct(u64("tv_sec", 0), u64("tv_nsec", 200_000_000)), NULL, 8]);
    });
    expect(() => runBatch(session, waiting, 0)).toThrow("mounts[7]: help: chdir");
  });
});
