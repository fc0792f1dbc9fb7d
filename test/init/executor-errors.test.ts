// init alone: errors of steps, look-ups that are tried again, and steps that are skipped.
import { afterEach, describe, expect, test } from "bun:test";
import { rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runPlan, type Session } from "../../src/host/session.ts";
import { openSide, resultOf, runSide } from "../../src/host/side-batch.ts";
import { errnoNumber } from "../../src/linux/errno.ts";
import { AT_FDCWD, load, openFlags, openHow, PlanBuilder } from "../../src/plan/build.ts";
import type { HostStep } from "../../src/plan/step.ts";
import { noHostSteps, runInInit, startInit, stopInit, withInit } from "./init.ts";

const EINVAL = errnoNumber("EINVAL");

function resultsOf(build: (p: PlanBuilder) => void): readonly (bigint | undefined)[] {
  let count = 0;
  const { session } = runInInit((p) => {
    build(p);
    count = p.length;
  });
  return Array.from({ length: count }, (_, i) => session.results.get(i));
}

describe("errors", () => {
  test("of a step: named with its arguments and intent; later steps are not done", () => {
    const results = withInit((session) => {
      const p = new PlanBuilder();
      p.at("mounts[3]", "bind /src on /data", () => {
        p.call("getpid", []);
        p.call("openat", [AT_FDCWD, "/does/not/exist", openFlags("O_RDONLY")]);
        p.call("getpid", []);
      });
      expect(() => runPlan(session, p.build(), noHostSteps)).toThrow(
        'mounts[3]: bind /src on /data: openat(AT_FDCWD, "/does/not/exist", O_RDONLY): no such file or directory',
      );
      return [0, 1, 2].map((step) => session.results.has(step));
    });
    expect(results).toEqual([true, false, false]);
  });
  test("that are tolerated do not stop the batch, and others do", () => {
    const [missing] = resultsOf((p) =>
      p.call("openat", [AT_FDCWD, "/does/not/exist", 0], { tolerate: ["EACCES", "ENOENT"] }),
    );
    expect(missing).toBe(-2n);
    expect(() =>
      runInInit((p) => p.call("openat", [AT_FDCWD, "/does/not/exist", 0], { tolerate: ["EACCES"] })),
    ).toThrow("no such file");
  });
  test("leave init able to go on", () => {
    withInit((session) => {
      const p = new PlanBuilder();
      p.call("close", [1000]);
      expect(() => runPlan(session, p.build(), noHostSteps)).toThrow("bad file descriptor");
      const q = new PlanBuilder();
      const pid = q.call("getpid", []);
      runPlan(session, q.build(), noHostSteps);
      expect(Number(session.results.get(pid.step))).toBe(session.init.launcherPid);
    });
  });
  test("check compares under a mask", () => {
    runInInit((p) => p.check(0xff7f, 0xff, 0x7f, EINVAL));
    expect(() => runInInit((p) => p.check(0xff7e, 0xff, 0x7f, EINVAL))).toThrow("invalid argument");
  });
  test("of a file system's configuration: with what the kernel says", () => {
    expect(() =>
      runInInit((p) => {
        const fs = p.call("fsopen", ["tmpfs", 1]);
        p.call("fsconfig", [fs, 1, "bogus", "1", 0]);
      }),
    ).toThrow(/bogus/);
  });
});

describe("a look-up that a race disturbs", () => {
  /** A statx before a look-up, which fails with EAGAIN `times` times, and a check of the statx after it. */
  const lookUp = (times: number) => {
    let left = times;
    const injectFailure: Session["injectFailure"] = (step) =>
      step.lane === "init" && step.call === "openat2" && left-- > 0 ? errnoNumber("EAGAIN") : undefined;
    const session = startInit([], injectFailure);
    try {
      const p = new PlanBuilder();
      const stat = p.buffer(256, "stat");
      p.call("statx", [AT_FDCWD, "/", 0, 0x7ff, stat]);
      const how = openHow(openFlags("O_PATH", "O_CLOEXEC"), 0x02);
      const fd = p.call("openat2", [AT_FDCWD, "/proc", how, 24]);
      p.check(load(stat, 28, 4, "stx_mode"), 0o170000, 0o040000, EINVAL);
      p.call("close", [fd]);
      runPlan(session, p.build(), noHostSteps);
      return session.results;
    } finally {
      stopInit(session);
    }
  };
  test("is tried again from there, and nothing before it is done twice or forgotten", () => {
    expect([...lookUp(5).keys()]).toEqual([0, 1, 2, 3]);
  });
  test("is an error at last", () => {
    expect(() => lookUp(1000)).toThrow("resource temporarily unavailable");
  });
});

describe("a step that the host does something for", () => {
  /** A look-up that the host answers with `perform`, and a check of what was before it. */
  const lookUp = (perform: (session: Session, count: number) => void, path: string) =>
    withInit((session) => {
      const p = new PlanBuilder();
      const pid = p.call("getpid", []);
      const action = { do: "make-path", root: 0, unsafePath: path, kind: "file" } as const;
      const fd = p.at("mounts[3]", "bind", () =>
        p.call("openat", [AT_FDCWD, path, 0], { retry: { after: "ENOENT", action } }),
      );
      p.check(pid, 0xffff_ffff, session.init.launcherPid, EINVAL);
      const performed: HostStep[] = [];
      runPlan(session, p.build(), (step) => perform(session, performed.push(step)));
      return { session, performed, fd, action };
    });
  const path = join(tmpdir(), `tsrunc-retry-${process.pid}`);
  afterEach(() => rmSync(path, { force: true }));
  test("is made again, and knows what was before", () => {
    const { performed, session, fd, action } = lookUp((_, count) => {
      if (count === 3) writeFileSync(path, "");
    }, path);
    expect(Number(session.results.get(fd.step))).toBeGreaterThan(0);
    const step = { lane: "host", action, source: { path: "mounts[3]", intent: "bind" } };
    expect(performed).toEqual([step, step, step] as HostStep[]);
  });
  test("may run batches of its own meanwhile, which leave the plan's results alone", () => {
    const { session } = lookUp((plan, count) => {
      const side = openSide(plan, { path: "mounts[3]", intent: "bind" });
      const file = runSide(side, (p) => {
        p.call("getppid", []);
        return p.call("openat", [AT_FDCWD, path, openFlags("O_RDONLY", "O_CREAT"), 0o600]);
      });
      expect(resultOf(side, file)).toBeGreaterThan(0);
      expect(count).toBe(1);
    }, path);
    expect(Number(session.results.get(0))).toBe(session.init.launcherPid);
  });
  test("is an error at last, and so is every other errno and what the host cannot do", () => {
    let count = 0;
    expect(() => lookUp(() => count++, path)).toThrow(
      `mounts[3]: bind: openat(AT_FDCWD, "${path}", 0): no such`,
    );
    expect(count).toBe(127);
    expect(() => lookUp(() => count++, "/proc/version/x")).toThrow("not a directory");
    expect(count).toBe(127);
    const fail = () => {
      throw new Error("the host cannot");
    };
    expect(() => lookUp(fail, path)).toThrow("the host cannot");
  });
});

describe("skips", () => {
  const path = (exists: boolean) => (exists ? "/proc/self" : "/does/not/exist");
  for (const exists of [true, false]) {
    test(`onSuccess and onError: each is done alone (${exists})`, () => {
      const results = resultsOf((p) => {
        p.call("faccessat2", [AT_FDCWD, path(exists), 0, 0], {
          tolerate: ["ENOENT"],
          onSuccess: () => p.call("getpid", []),
          onError: () => p.call("getppid", []),
        });
        p.call("getuid", []);
      });
      const [, success, , failure] = results;
      expect([success !== 0n, failure !== 0n]).toEqual([exists, !exists]);
      expect(results).toHaveLength(5);
    });
    test(`onSuccess alone, onError alone (${exists})`, () => {
      const results = resultsOf((p) => {
        p.call("faccessat2", [AT_FDCWD, path(exists), 0, 0], {
          tolerate: ["ENOENT"],
          onSuccess: () => p.call("getpid", []),
        });
        p.call("faccessat2", [AT_FDCWD, path(exists), 0, 0], {
          tolerate: ["ENOENT"],
          onError: () => p.call("getpid", []),
        });
      });
      expect([results[1] !== 0n, results[3] !== 0n]).toEqual([exists, !exists]);
    });
  }
  test("the result of the call is handed to what follows its success", () => {
    const results = resultsOf((p) => {
      p.call("openat", [AT_FDCWD, "/", openFlags("O_PATH", "O_CLOEXEC")], {
        tolerate: ["ENOENT"],
        onSuccess: (fd) => p.call("close", [fd]),
      });
    });
    expect(results[1]).toBe(0n);
  });
});
