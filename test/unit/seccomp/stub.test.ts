// The head that gives ENOSYS, in front of a filter that allows everything: also for machines that this one cannot
// compile for.
import { describe, expect, test } from "bun:test";
import { prependStub } from "../../../src/compile/seccomp-stub.ts";
import { SCMP_ACT, SCMP_ARCH, type ScmpArchName, X32_SYSCALL_BIT } from "../../../src/linux/seccomp.ts";
import { runFilter } from "./cbpf.ts";

const ALLOW = SCMP_ACT.SCMP_ACT_ALLOW;
const ENOSYS = SCMP_ACT.SCMP_ACT_ERRNO + 38;
const allowAll = new Uint8Array(new Uint32Array([0x06, ALLOW]).buffer);
const names = Object.keys(SCMP_ARCH) as ScmpArchName[];

test("without a number there is no head", () => {
  expect(prependStub(allowAll, new Map())).toEqual(allowAll);
});

describe("each architecture alone", () => {
  for (const name of names.filter((name) => name !== "SCMP_ARCH_X32"))
    test(name, () => {
      const arch = SCMP_ARCH[name];
      const program = prependStub(allowAll, new Map([[arch, 400]]));
      const run = (number: number): number => runFilter(program, { arch, number });
      expect([run(1), run(400), run(401), run(0x3fff_ffff)]).toEqual([ALLOW, ALLOW, ENOSYS, ENOSYS]);
      expect(runFilter(program, { arch: 0x1234, number: 4000 })).toBe(ALLOW);
    });
});

test("all architectures in one head: the longest way", () => {
  const last = new Map(names.map((name, i) => [SCMP_ARCH[name], 100 * (i + 1)]));
  last.set(SCMP_ARCH.SCMP_ARCH_X32, X32_SYSCALL_BIT + 300);
  const program = prependStub(allowAll, last);
  for (const name of names.filter((name) => name !== "SCMP_ARCH_X32")) {
    const arch = SCMP_ARCH[name];
    const highest = last.get(arch) as number;
    expect([name, runFilter(program, { arch, number: highest })]).toEqual([name, ALLOW]);
    expect([name, runFilter(program, { arch, number: highest + 1 })]).toEqual([name, ENOSYS]);
  }
  const arch = SCMP_ARCH.SCMP_ARCH_X86_64;
  expect(runFilter(program, { arch, number: X32_SYSCALL_BIT + 300 })).toBe(ALLOW);
  expect(runFilter(program, { arch, number: X32_SYSCALL_BIT + 301 })).toBe(ENOSYS);
});

describe("x86_64 and x32", () => {
  const { SCMP_ARCH_X86_64, SCMP_ARCH_X32 } = SCMP_ARCH;
  const run = (last: ReadonlyMap<number, number>, number: number): number =>
    runFilter(prependStub(allowAll, last), { arch: SCMP_ARCH_X86_64, number });
  test("x86_64 alone: what x32 calls is left to the filter", () => {
    const last = new Map([[SCMP_ARCH_X86_64 as number, 435]]);
    expect(run(last, 436)).toBe(ENOSYS);
    expect(run(last, X32_SYSCALL_BIT + 4000)).toBe(ALLOW);
  });
  test("x32 alone", () => {
    const last = new Map([[SCMP_ARCH_X32 as number, X32_SYSCALL_BIT + 435]]);
    expect(run(last, 4000)).toBe(ALLOW);
    expect(run(last, X32_SYSCALL_BIT + 436)).toBe(ENOSYS);
  });
  test("-1, which a tracer sets to skip a call", () => {
    expect(run(new Map([[SCMP_ARCH_X86_64 as number, 435]]), -1)).toBe(ALLOW);
  });
});

test("0 of s390, which stands for every number that its kernel does not know", () => {
  for (const name of ["SCMP_ARCH_S390", "SCMP_ARCH_S390X"] as const) {
    const arch = SCMP_ARCH[name];
    expect(runFilter(prependStub(allowAll, new Map([[arch as number, 400]])), { arch, number: 0 })).toBe(
      ENOSYS,
    );
  }
});
