// init alone: descriptors that a step closes once its call is done.
import { describe, expect, test } from "bun:test";
import { runBatch } from "../../src/host/session.ts";
import { errnoNumber } from "../../src/linux/errno.ts";
import { AT_FDCWD, load, NULL, openFlags, PlanBuilder } from "../../src/plan/build.ts";
import { printPlan } from "../../src/plan/print.ts";
import type { InitStep, Result } from "../../src/plan/step.ts";
import { runInInit, withInit } from "./init.ts";

const EBADF = BigInt(errnoNumber("EBADF"));
const F_GETFD = 1;

const openRoot = (p: PlanBuilder): Result =>
  p.call("openat", [AT_FDCWD, "/", openFlags("O_RDONLY", "O_CLOEXEC")], { name: "root" });
const isOpen = (p: PlanBuilder, fd: Result): Result =>
  p.call("fcntl", [fd, F_GETFD, 0], { tolerate: ["EBADF"] });

describe("a close behind the step that uses the descriptor", () => {
  test("is part of that step, and printed as the call that it is", () => {
    const { session, value } = runInInit((p) => {
      const root = openRoot(p);
      p.call("fchdir", [root]);
      p.call("close", [root]);
      return { look: isOpen(p, root), length: p.length, text: printPlan(p.build()) };
    });
    expect(value.length).toBe(3);
    expect(value.text).toContain("init  fchdir(root)\ninit  close(root)\n");
    expect(session.results.get(value.look.step)).toBe(-EBADF);
  });

  test("is done after a tolerated error too", () => {
    const { session, value } = runInInit((p) => {
      const root = openRoot(p);
      p.call("fcntl", [root, -1, 0], { tolerate: ["EINVAL"] });
      p.call("close", [root]);
      return isOpen(p, root);
    });
    expect(session.results.get(value.step)).toBe(-EBADF);
  });

  test("of two descriptors closes both", () => {
    const { session, value } = runInInit((p) => {
      const [from, to] = [openRoot(p), openRoot(p)];
      p.call("renameat2", [from, "absent", to, "absent", 0], { tolerate: ["ENOENT"] });
      p.call("close", [to]);
      p.call("close", [from]);
      return [isOpen(p, from), isOpen(p, to)];
    });
    expect(value.map(({ step }) => session.results.get(step))).toEqual([-EBADF, -EBADF]);
  });

  test("that fails is the step's error", () => {
    expect(() =>
      runInInit((p) => {
        const gone: Result = openRoot(p);
        p.call("close_range", [gone, gone, 0]);
        p.call("close", [gone]);
      }),
    ).toThrow("bad file descriptor");
  });
});

describe("a close that not everything before it leads to, or that more leads to, stays a step", () => {
  const opened = (build: (p: PlanBuilder, root: Result) => void): readonly bigint[] => {
    const { session, value } = runInInit((p) => {
      const root = openRoot(p);
      build(p, root);
      return isOpen(p, root);
    });
    return [session.results.get(value.step) as bigint];
  };

  test("after an error only", () => {
    const succeeds = opened((p, root) => {
      p.call("fchdir", [root], { tolerate: ["ENOTDIR"], onError: () => p.call("close", [root]) });
    });
    expect(succeeds).not.toEqual([-EBADF]);
  });

  test("after success only", () => {
    const fails = opened((p, root) => {
      p.call("fcntl", [root, -1, 0], { tolerate: ["EINVAL"], onSuccess: () => p.call("close", [root]) });
    });
    expect(fails).not.toEqual([-EBADF]);
  });

  test("behind a jump", () => {
    const jumped = opened((p, root) => {
      p.call("check", [1, 1, 0, 2], {
        tolerate: ["ENOENT"],
        onSuccess: () => p.call("fchdir", [root]),
      });
      p.call("close", [root]);
    });
    expect(jumped).toEqual([-EBADF]);
  });

  test("in a later batch", () => {
    withInit((session) => {
      const p = new PlanBuilder();
      const pair = p.buffer(8, "pair");
      p.call("pipe2", [pair, openFlags("O_CLOEXEC")]);
      const root = openRoot(p);
      p.call("fchdir", [root]);
      const first = p.build().steps.length;
      runBatch(session, p.build().steps.slice() as InitStep[], 0);
      p.call("close", [root]);
      p.call("write", [load(pair, 4, 4, "writer"), NULL, 0]);
      const look = isOpen(p, root);
      runBatch(session, p.build().steps.slice(first) as InitStep[], first);
      expect(session.results.get(look.step)).toBe(-EBADF);
    });
  });
});
