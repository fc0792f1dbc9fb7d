// An init to talk to, without the rest of tsrunc.
import { dirname, resolve } from "node:path";
import type { Context } from "../../src/context.ts";
import { type Launched, launchInit } from "../../src/host/launch.ts";
import { readArchitecture } from "../../src/host/probe.ts";
import { reapChild } from "../../src/host/process.ts";
import { closeSession, openSession, runPlan, type Session } from "../../src/host/session.ts";
import { PlanBuilder } from "../../src/plan/build.ts";
import type { HostStep } from "../../src/plan/step.ts";

/** Folder of the build under test: dist/, or that of $TSRUNC as in the end-to-end tests. */
export const installDir = dirname(process.env.TSRUNC ?? resolve(import.meta.dirname, "../../dist/tsrunc"));

/** A context that says as little as launching needs. */
export const context: Context = {
  cwd: "/",
  env: {},
  stdio: [0, 1, 2],
  inheritedFds: [],
  euid: process.geteuid?.() ?? 0,
  egid: process.getegid?.() ?? 0,
  log: { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} },
  now: () => new Date(0),
  installDir,
  root: "/nonexistent",
};

export function startInit(pass: readonly number[] = [], injectFailure?: Session["injectFailure"]): Session {
  const init = launchInit(context, { stdio: [0, 1, 2], pass });
  return openSession(init, readArchitecture(), injectFailure);
}

/** Ends init and waits until it and its forked successor are gone; gives their wait statuses. */
export function stopInit(session: Session): readonly (number | undefined)[] {
  closeSession(session);
  const { libc, launcherPid } = session.init;
  const pids = session.pid === 0 ? [launcherPid] : [session.pid];
  return pids.map((pid) => reapChild(libc, pid));
}

/** Runs `use` with an init that is stopped after it. */
export function withInit<T>(use: (session: Session) => T): T {
  const session = startInit();
  try {
    return use(session);
  } finally {
    stopInit(session);
  }
}

export function noHostSteps(step: HostStep): never {
  throw new Error(`no host step is expected here, and there is ${step.action.do}`);
}

/** Builds a plan and runs it in an init of its own. */
export function runInInit<T>(build: (p: PlanBuilder) => T): { session: Session; value: T } {
  return withInit((session) => {
    const p = new PlanBuilder();
    const value = build(p);
    runPlan(session, p.build(), noHostSteps);
    return { session, value };
  });
}

/** For tests below the session: a raw init. */
export function launchRaw(): Launched {
  return launchInit(context, { stdio: [0, 1, 2], pass: [] });
}
