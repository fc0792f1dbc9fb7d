// init alone: what a batch can say, what it refuses, and that it always ends.
import { describe, expect, test } from "bun:test";
import { setReceiveTimeout } from "../../src/host/fd.ts";
import { readArchitecture } from "../../src/host/probe.ts";
import { reapChild } from "../../src/host/process.ts";
import { runBatch, runPlan, type Session } from "../../src/host/session.ts";
import { errnoNumber } from "../../src/linux/errno.ts";
import { syscallNumber } from "../../src/linux/syscalls.ts";
import { AT_FDCWD, load, NULL, openFlags, openHow, PlanBuilder, struct, u64 } from "../../src/plan/build.ts";
import type { InitStep } from "../../src/plan/step.ts";
import { encodeBatch, HEADER_SIZE, REPORT_SIZE } from "../../src/plan/wire.ts";
import { launchRaw, noHostSteps, runInInit, startInit, stopInit, withInit } from "./init.ts";

const arch = readArchitecture();
const EINVAL = errnoNumber("EINVAL");

function resultsOf(build: (p: PlanBuilder) => void): readonly (bigint | undefined)[] {
  let count = 0;
  const { session } = runInInit((p) => {
    build(p);
    count = p.length;
  });
  return Array.from({ length: count }, (_, i) => session.results.get(i));
}

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

describe("serve", () => {
  test("takes the next batch from another socket, and ends when that is closed", () => {
    withInit((session) => {
      const p = new PlanBuilder();
      const sockets = p.buffer(8, "sockets");
      p.call("socketpair", [1, 1, 0, sockets]);
      runPlan(session, p.build(), noHostSteps);
      // A second batch is written into the other end by init itself, then served.
      const inner = new PlanBuilder();
      inner.call("exit_group", [42]);
      const batch = encode(inner);
      const q = new PlanBuilder();
      const [mine, theirs] = [0, 4].map((at) => load(sockets, at, 4, `end${at}`));
      const bytes = { kind: "bytes", value: batch, text: "batch" } as const;
      q.call("write", [mine as never, bytes, batch.length]);
      q.call("serve", [theirs as never]);
      expect(() => runPlan(session, q.build(), noHostSteps)).toThrow("exit status 42");
    });
  });
});

describe("batches that are not sound", () => {
  const valid = (): Uint8Array => {
    const p = new PlanBuilder();
    p.call("getpid", []);
    p.call("faccessat2", [AT_FDCWD, "/", 0, 0]);
    return encode(p);
  };
  const change = (edit: (view: DataView) => void): Uint8Array => {
    const bytes = valid();
    edit(new DataView(bytes.buffer, bytes.byteOffset, bytes.length));
    return bytes;
  };
  const step = (i: number): number => HEADER_SIZE + 72 * i;
  const cases: [string, Uint8Array][] = [
    ["a wrong magic number", change((v) => v.setUint32(0, 1, true))],
    ["too many steps", change((v) => v.setUint32(4, 16385, true))],
    ["too much data", change((v) => v.setUint32(12, (64 << 20) + 1, true))],
    ["too many relocations", change((v) => v.setUint32(8, 1 << 24, true))],
    ["an out area outside the data", change((v) => v.setUint32(20, 1 << 20, true))],
    ["an out area that wraps around", change((v) => v.setUint32(16, 0xffffffff, true))],
    ["a skip past the end", change((v) => v.setUint16(step(0) + 12, 2, true))],
    ["a skip past the end after an error", change((v) => v.setUint16(step(1) + 14, 1, true))],
    ["more tolerated errors than there are", change((v) => v.setUint8(step(0) + 10, 5))],
    ["an unknown kind of argument", change((v) => v.setUint8(step(0) + 4, 9))],
    ["an address outside the data", change((v) => setArg(v, step(1), 1, 1, 1n << 32n))],
    ["its own result as an argument", change((v) => setArg(v, step(1), 0, 2, 1n))],
    ["a later result as an argument", change((v) => setArg(v, step(0), 0, 2, 1n))],
    ["a load outside the data", change((v) => setArg(v, step(0), 0, 4, 1n << 20n))],
    ["a store outside the data", change((v) => setStore(v, 1n << 20n, 8n))],
    ["a store that wraps around", change((v) => setStore(v, (1n << 64n) - 4n, 8n))],
    ["a store of an odd width", change((v) => setStore(v, 0n, 3n))],
  ];
  function setArg(v: DataView, at: number, i: number, kind: number, value: bigint): void {
    v.setUint8(at + 4 + i, kind);
    v.setBigUint64(at + 24 + 8 * i, value, true);
  }
  function setStore(v: DataView, offset: bigint, width: bigint): void {
    v.setUint32(step(0), 0xffff0001, true);
    for (const [i, value] of [1n, offset, width].entries()) setArg(v, step(0), i, 0, value);
  }

  test("the batch that is changed below is sound itself", () => {
    expect(exchange(valid())).toEqual({ report: 0, status: 1 });
  });
  for (const [title, bytes] of cases) {
    test(`${title}: init ends with status 2 and does nothing`, () => {
      expect(exchange(bytes)).toEqual({ report: undefined, status: 2 });
    });
  }
  test("1000 random batches never hang it", () => {
    const random = makeRandom(20260801);
    const harmless = syscallNumber("getpid", arch);
    let refused = 0;
    for (let i = 0; i < 1000; i++) {
      const bytes = valid();
      const view = new DataView(bytes.buffer);
      // Any byte but the numbers of the calls, which must not become reboot(2).
      for (let k = 0; k < 1 + (i % 8); k++) bytes[4 + random(bytes.length - 4)] = random(256);
      for (let s = 0; s < 2; s++)
        view.setUint32(step(s), [harmless, 0xffff0001, 0xffff0002][random(3)] as number, true);
      for (const at of [8, 12]) if (view.getUint32(at, true) > 4096) view.setUint32(at, 0, true);
      if (exchange(bytes, 20).status === 2) refused++;
    }
    expect(refused).toBeGreaterThan(50);
    expect(refused).toBeLessThan(1000);
  }, 120_000);
});

function text(bytes: Uint8Array | undefined, length: number): string {
  return new TextDecoder().decode(bytes?.subarray(0, length));
}

function encode(p: PlanBuilder): Uint8Array {
  return encodeBatch(p.build().steps as InitStep[], 0, () => 0n, arch).bytes;
}

/** Sends bytes to a new init, closes the socket, and waits: the report's type, if any, and the exit status. */
function exchange(
  bytes: Uint8Array,
  timeoutMs = 10_000,
): { report: number | undefined; status: number | undefined } {
  const { libc, socket, launcherPid } = launchRaw();
  libc.send(socket, bytes, bytes.length, 0x4000);
  setReceiveTimeout(libc, socket, timeoutMs); // it may wait for more than there is
  const report = new Uint8Array(REPORT_SIZE);
  const got = libc.recv(socket, report, REPORT_SIZE, 0);
  libc.close(socket);
  const status = reapChild(libc, launcherPid);
  return {
    report: got === REPORT_SIZE ? new DataView(report.buffer).getUint32(4, true) : undefined,
    status: status === undefined ? undefined : status >> 8,
  };
}

/** mulberry32: the same numbers on every run. */
function makeRandom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}
