// init alone: what the arguments of a batch's steps can be, and a fork in it.
import { describe, expect, test } from "bun:test";
import { runBatch, runPlan } from "../../src/host/session.ts";
import { errnoNumber } from "../../src/linux/errno.ts";
import { AT_FDCWD, load, NULL, openFlags, PlanBuilder, struct, u64 } from "../../src/plan/build.ts";
import type { InitStep } from "../../src/plan/step.ts";
import { noHostSteps, runInInit, startInit, stopInit, withInit } from "./init.ts";

const F_GETFD = 1;
const EINVAL = errnoNumber("EINVAL");

describe("arguments", () => {
  test("results of earlier steps, in the same and in a later batch", () => {
    const contents = withInit((session) => {
      const p = new PlanBuilder();
      const fd = p.call("openat", [AT_FDCWD, "/proc/self/comm", openFlags("O_RDONLY", "O_CLOEXEC")]);
      const first = p.buffer(64, "first");
      const got = p.call("read", [fd, first, 64]);
      p.call("lseek", [fd, 0, 0]);
      const steps = p.build().steps as InitStep[];
      runBatch(session, steps, 0);
      const second = p.buffer(64, "second");
      p.call("read", [fd, second, 64]);
      p.call("close", [fd]);
      runBatch(session, (p.build().steps as InitStep[]).slice(steps.length - 2), steps.length - 2);
      return [first, second].map((buffer) =>
        text(session.outputs.get(buffer), Number(session.results.get(got.step))),
      );
    });
    expect(contents[0]).toMatch(/\n$/);
    expect(contents[1]).toBe(contents[0] as string);
  });
  test("values that a call left in a buffer, in the same and in a later batch", () => {
    // pipe2 leaves two descriptors; what is written to one is read from the other.
    const { session, value } = runInInit((p) => {
      const pair = p.buffer(8, "pair");
      p.call("pipe2", [pair, openFlags("O_CLOEXEC")]);
      p.call("write", [load(pair, 4, 4, "writer"), "hello", 5]);
      const read = p.buffer(8, "read");
      p.call("read", [load(pair, 0, 4, "reader"), read, 8]);
      return read;
    });
    expect(text(session.outputs.get(value), 5)).toBe("hello");

    withInit((other) => {
      const p = new PlanBuilder();
      const pair = p.buffer(8, "pair");
      p.call("pipe2", [pair, openFlags("O_CLOEXEC")]);
      runBatch(other, p.build().steps as InitStep[], 0);
      p.call("write", [load(pair, 4, 4, "writer"), "later", 5]);
      runBatch(other, p.build().steps.slice(1) as InitStep[], 1);
      expect(other.results.get(1)).toBe(5n);
    });
  });
  test("a load of 4 bytes has its sign, one of 8 bytes is whole", () => {
    const { session, value } = runInInit((p) => {
      const pair = p.buffer(8, "pair");
      p.call("pipe2", [pair, openFlags("O_CLOEXEC")]);
      p.call("write", [load(pair, 4, 4, "writer"), NULL, 0]);
      const bytes = new Uint8Array(8).fill(0xff);
      p.call("write", [load(pair, 4, 4, "writer"), { kind: "bytes", value: bytes, text: "" }, 8]);
      const read = p.buffer(8, "read");
      p.call("read", [load(pair, 0, 4, "reader"), read, 8]);
      p.check(load(read, 0, 4, "int"), (1n << 64n) - 1n, (1n << 64n) - 1n, EINVAL);
      p.check(load(read, 0, 8, "long"), (1n << 64n) - 1n, (1n << 64n) - 1n, EINVAL);
      return read;
    });
    expect(session.outputs.get(value)).toEqual(new Uint8Array(8).fill(0xff));
  });
  test("a call for each bit of an argument, with its number", () => {
    const bits = [5n, 20n, 31n, 32n, 63n];
    const mask = bits.reduce((sum, bit) => sum | (1n << bit), 0n);
    const each = (of: bigint) => ({ kind: "each-bit", mask: of, names: [] }) as const;
    const count = (fds: readonly bigint[]): number =>
      withInit((session) => {
        const p = new PlanBuilder();
        p.call("dup3", [0, each(mask), 0]);
        for (const fd of fds) p.call("fcntl", [fd, F_GETFD, 0], { tolerate: ["EBADF"] });
        p.call("fcntl", [each(0b111n), F_GETFD, 0]);
        p.call("fcntl", [each(0n), F_GETFD, 0]);
        runPlan(session, p.build(), noHostSteps);
        return fds.filter((_, i) => session.results.get(1 + i) === 0n).length;
      });
    expect(count(bits)).toBe(bits.length);
    expect(count([4n, 6n, 19n, 33n, 62n, 64n])).toBe(0);
  });
  test("a call for each bit goes on after a tolerated error, and ends with another one", () => {
    const all = { kind: "each-bit", mask: (1n << 63n) | (1n << 40n) | 1n, names: [] } as const;
    const call = (tolerate: readonly ("EBADF" | "EINVAL")[]) => () =>
      withInit((session) => {
        const p = new PlanBuilder();
        p.call("dup3", [0, 63, 0]);
        p.call("fcntl", [all, F_GETFD, 0], { tolerate });
        runPlan(session, p.build(), noHostSteps);
        return session.results.get(1);
      });
    expect(call(["EBADF"])()).toBe(0n); // descriptor 40 is not open, the last one is
    expect(call(["EINVAL"])).toThrow("bad file descriptor");
  });
  test("results within structures (stores), and addresses within structures (relocations)", () => {
    const { session, value } = runInInit((p) => {
      const pair = p.buffer(8, "pair");
      p.call("pipe2", [pair, openFlags("O_CLOEXEC")]);
      const uid = p.call("getpid", []);
      const inner = struct(u64("iov_base", struct(u64("pid", uid))), u64("iov_len", 8));
      p.call("sendmsg", [load(pair, 4, 4, "writer"), inner, 0], { tolerate: ["ENOTSOCK"] });
      const out = p.buffer(16, "out");
      const sockets = p.buffer(8, "sockets");
      p.call("socketpair", [1, 1, 0, sockets]);
      const message = struct(
        u64("name", 0),
        u64("namelen", 0),
        u64("iov", inner),
        u64("iovlen", 1),
        u64("control", 0),
        u64("controllen", 0),
        u64("flags", 0),
      );
      p.call("sendmsg", [load(sockets, 0, 4, "a"), message, 0]);
      p.call("read", [load(sockets, 4, 4, "b"), out, 16]);
      return { out, uid };
    });
    const bytes = session.outputs.get(value.out) as Uint8Array;
    expect(new DataView(bytes.buffer, bytes.byteOffset).getBigInt64(0, true)).toBe(
      session.results.get(value.uid.step) as bigint,
    );
  });
  test("a list of strings is an argv", () => {
    const session = startInit();
    const p = new PlanBuilder();
    const argv = { kind: "strings", values: ["sh", "-c", "exit $1", "sh", "23"] } as const;
    p.call("execve", ["/bin/sh", argv, { kind: "strings", values: [] }]);
    expect(() => runPlan(session, p.build(), noHostSteps)).toThrow(/ended/);
    stopInit(session);
  });
});

describe("fork", () => {
  test("the child goes on, in the same batch and the next, and is ours to wait for", () => {
    const session = startInit();
    const p = new PlanBuilder();
    const before = p.call("getpid", []);
    const flags = struct(u64("flags", 0x8000), ...Array.from({ length: 7 }, () => u64("", 0)));
    p.call("fork", [flags, 64]);
    const after = p.call("getpid", []);
    p.host({ do: "record-process" });
    const later = p.call("getpid", []);
    runPlan(session, p.build(), () => {});
    const [launcher, child, still] = [before, after, later].map((r) => Number(session.results.get(r.step)));
    expect(launcher).toBe(session.init.launcherPid);
    expect(child).toBe(session.pid);
    expect(still).toBe(session.pid);
    expect(child).not.toBe(launcher);
    expect(stopInit(session)).toEqual([1 << 8]);
  });
});

function text(bytes: Uint8Array | undefined, length: number): string {
  return new TextDecoder().decode(bytes?.subarray(0, length));
}
