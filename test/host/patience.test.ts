// Conversations with an init that does not answer, and its end.
import { expect, test } from "bun:test";
import type { Conversation } from "../../src/host/conversation.ts";
import { launchInit } from "../../src/host/launch.ts";
import { converse, endInit } from "../../src/host/patience.ts";
import { readArchitecture } from "../../src/host/probe.ts";
import { discussPlan, openSession, type Session } from "../../src/host/session.ts";
import { PlanBuilder } from "../../src/plan/build.ts";
import { context } from "../init/init.ts";
import { countDescriptors, listChildren } from "./leaks.ts";

const open = (): Session =>
  openSession(launchInit(context, { stdio: [0, 1, 2], pass: [] }), readArchitecture());
const stop = ({ init }: Session, signal: "SIGSTOP" | "SIGCONT"): void =>
  void process.kill(init.launcherPid, signal);

/** Asks init for its pid, which takes at most `limitMs`. */
function* ask(session: Session, limitMs: number): Conversation {
  const p = new PlanBuilder();
  p.call("getpid", []);
  for (const _ of discussPlan(session, p.build(), () => {})) yield limitMs;
}

const never = { isHeldUp: () => false, check: () => {} };

test("an init that does not answer in time is given up, and ended", async () => {
  const before = countDescriptors();
  const session = open();
  stop(session, "SIGSTOP");
  const began = Date.now();
  await expect(converse(session, ask(session, 600), never)).rejects.toThrow(
    "did not answer within 0.6 seconds",
  );
  expect(Date.now() - began).toBeGreaterThanOrEqual(550);
  endInit(session, never.isHeldUp);
  expect(listChildren()).toEqual([]);
  expect(countDescriptors()).toBe(before);
});

test("the time while it is held up does not count, and the loop turns meanwhile", async () => {
  const session = open();
  stop(session, "SIGSTOP");
  let ticks = 0;
  const timer = setInterval(() => ticks++, 10);
  setTimeout(() => stop(session, "SIGCONT"), 1500);
  await converse(session, ask(session, 300), { isHeldUp: () => true, check: () => {} });
  clearInterval(timer);
  expect(ticks).toBeGreaterThan(50);
  expect(session.results.size).toBe(1);
  endInit(session, never.isHeldUp);
  expect(listChildren()).toEqual([]);
});

test("what check throws ends the wait", async () => {
  const session = open();
  stop(session, "SIGSTOP");
  const check = (): never => {
    throw new Error("enough");
  };
  await expect(converse(session, ask(session, 60_000), { ...never, check })).rejects.toThrow("enough");
  endInit(session, never.isHeldUp);
});

test("an init that has ended is reaped once", () => {
  const session = open();
  process.kill(session.init.launcherPid, "SIGKILL");
  session.init.libc.waitpid(session.init.launcherPid, null, 0x40000000);
  endInit(session, never.isHeldUp);
  expect(listChildren()).toEqual([]);
});
