// init alone: batches from another socket, and those that are not sound; it always ends.
import { describe, expect, test } from "bun:test";
import { setReceiveTimeout } from "../../src/host/fd.ts";
import { readArchitecture } from "../../src/host/probe.ts";
import { reapChild } from "../../src/host/process.ts";
import { runPlan } from "../../src/host/session.ts";
import { syscallNumber } from "../../src/linux/syscalls.ts";
import { AT_FDCWD, load, PlanBuilder } from "../../src/plan/build.ts";
import { REPORT_SIZE } from "../../src/plan/report.ts";
import type { InitStep } from "../../src/plan/step.ts";
import { encodeBatch, HEADER_SIZE } from "../../src/plan/wire.ts";
import { launchRaw, noHostSteps, withInit } from "./init.ts";

const arch = readArchitecture();

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
    ["an out area that is almost everything", change((v) => v.setUint32(16, 0xfffffff8, true))],
    ["data that is no multiple of 8", change((v) => v.setUint32(12, v.getUint32(12, true) - 1, true))],
    ["an out area that is no multiple of 8", change((v) => v.setUint32(16, 4, true))],
    ["an out area that is sent in another way", change((v) => v.setUint32(20, 2, true))],
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
    report: got === REPORT_SIZE ? new DataView(report.buffer).getUint16(4, true) : undefined,
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
