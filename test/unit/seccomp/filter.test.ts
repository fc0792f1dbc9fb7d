// Filters as libseccomp compiles them here, run call by call against what the profile says.
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { describeFilter } from "../../../src/compile/seccomp.ts";
import { compileFilter } from "../../../src/host/seccomp.ts";
import { SCMP_ACT, SCMP_ARCH, type ScmpArchName } from "../../../src/linux/seccomp.ts";
import { parseConfig, type Seccomp } from "../../../src/spec/config.ts";
import { installDir } from "../../init/init.ts";
import { runFilter } from "./cbpf.ts";
import { defaultOf, expectedAction, MACHINES, type Machine, NUMBERS } from "./profile.ts";

const fixtures = new URL("../../../spec-fixtures/good/", import.meta.url);
const ENOSYS = SCMP_ACT.SCMP_ACT_ERRNO + 38;

function compile(profile: Seccomp): Uint8Array {
  return compileFilter({ installDir }, describeFilter(profile, "x86_64"));
}

/** Values around everything that the profiles compare with. */
const INTERESTING = [
  0n,
  1n,
  8n,
  9n,
  16n,
  40n,
  41n,
  0x20000n,
  0x20008n,
  0x7e020000n,
  0x10000000n,
  0xffffffffn,
  0x1_0000_0000n,
  0x1_0000_0028n,
  0xffff_ffff_ffff_fff0n,
  0xffff_ffff_ffff_ffffn,
];

function checkProfile(profile: Seccomp, machines: readonly Machine[]): number {
  const program = compile(profile);
  const wrong: string[] = [];
  let checked = 0;
  for (const machine of machines) {
    const { arch } = MACHINES[machine];
    for (const [name, number] of Object.entries(NUMBERS[machine])) {
      for (const first of INTERESTING) {
        for (const third of INTERESTING) {
          const args = [first, 3n, third, 0n, 0n, 0n];
          const wanted = expectedAction(profile, machine, name, args);
          const got = runFilter(program, { arch, number, args });
          checked += 1;
          if (got !== wanted)
            wrong.push(
              `${machine} ${name}(${first}, 3, ${third}): ${got.toString(16)}, not ${wanted.toString(16)}`,
            );
        }
      }
    }
  }
  expect(wrong.slice(0, 10)).toEqual([]);
  return checked;
}

function readProfile(name: string): Seccomp {
  const text = readFileSync(new URL(`${name}.json`, fixtures), "utf8");
  const { linux } = JSON.parse(text) as { linux: { seccomp: unknown } };
  const alone = { ociVersion: "1.3.0", root: { path: "rootfs" }, linux: { seccomp: linux.seccomp } };
  return parseConfig(JSON.stringify(alone)).linux?.seccomp as Seccomp;
}

describe("engines' profiles", () => {
  for (const name of ["docker-28", "containerd-cri-limits", "podman-5-selinux", "podman-5"]) {
    test(`${name}: x86_64, i386, x32`, () => {
      expect(checkProfile(readProfile(name), ["x86_64", "i386", "x32"])).toBeGreaterThan(15000);
    });
    test(`${name}: aarch64`, () => {
      const profile: Seccomp = { ...readProfile(name), architectures: ["SCMP_ARCH_AARCH64"] };
      expect(checkProfile(profile, ["aarch64", "x86_64"])).toBeGreaterThan(5000);
    });
  }
  test("of an architecture that the profile lacks nothing is allowed", () => {
    const program = compile({ ...readProfile("docker-28"), architectures: ["SCMP_ARCH_X86_64"] });
    for (const machine of ["i386", "x32", "aarch64"] as const)
      for (const number of Object.values(NUMBERS[machine]))
        expect(runFilter(program, { arch: MACHINES[machine].arch, number })).toBe(SCMP_ACT.SCMP_ACT_KILL);
  });
});

describe("actions", () => {
  const names = Object.keys(SCMP_ACT) as (keyof typeof SCMP_ACT)[];
  for (const action of names)
    test(action, () => {
      const syscalls = [{ names: ["mkdir"], action }];
      const program = compile({
        defaultAction: action === "SCMP_ACT_ALLOW" ? "SCMP_ACT_LOG" : "SCMP_ACT_ALLOW",
        syscalls,
      });
      const data = action === "SCMP_ACT_ERRNO" || action === "SCMP_ACT_TRACE" ? 1 : 0;
      expect(runFilter(program, { arch: MACHINES.x86_64.arch, number: 83 })).toBe(SCMP_ACT[action] + data);
    });
  test("errnoRet of each rule, and defaultErrnoRet", () => {
    const program = compile({
      defaultAction: "SCMP_ACT_ERRNO",
      defaultErrnoRet: 5,
      syscalls: [
        { names: ["mkdir"], action: "SCMP_ACT_ERRNO", errnoRet: 17 },
        { names: ["mount"], action: "SCMP_ACT_TRACE", errnoRet: 0xffff },
        { names: ["chroot"], action: "SCMP_ACT_ERRNO", errnoRet: 0 },
        { names: ["futex_requeue", "getpid"], action: "SCMP_ACT_ALLOW" },
      ],
    });
    const run = (number: number): number => runFilter(program, { arch: MACHINES.x86_64.arch, number });
    expect([83, 165, 161, 39, 0].map(run)).toEqual([
      SCMP_ACT.SCMP_ACT_ERRNO + 17,
      SCMP_ACT.SCMP_ACT_TRACE + 0xffff,
      SCMP_ACT.SCMP_ACT_ERRNO,
      SCMP_ACT.SCMP_ACT_ALLOW,
      SCMP_ACT.SCMP_ACT_ERRNO + 5,
    ]);
  });
});

describe("operators, on values of 64 bits", () => {
  const operators = [
    "SCMP_CMP_NE",
    "SCMP_CMP_LT",
    "SCMP_CMP_LE",
    "SCMP_CMP_EQ",
    "SCMP_CMP_GE",
    "SCMP_CMP_GT",
    "SCMP_CMP_MASKED_EQ",
  ] as const;
  for (const op of operators)
    for (const value of [0n, 0x28n, 0xffffffffn, 0x1_0000_0028n, 2n ** 53n + 1n, 0xffff_ffff_ffff_ffffn])
      test(`${op} ${value}`, () => {
        const argument = { index: 2, value, valueTwo: 0x28n & value, op };
        const profile: Seccomp = {
          defaultAction: "SCMP_ACT_ALLOW",
          syscalls: [{ names: ["socket", "ioctl"], action: "SCMP_ACT_ERRNO", args: [argument] }],
        };
        checkProfile(profile, ["x86_64"]);
        checkProfile({ ...profile, architectures: ["SCMP_ARCH_AARCH64"] }, ["aarch64"]);
      });
});

test("conditions on two arguments are a conjunction, on one argument alternatives", () => {
  const condition = (index: number, value: bigint) => ({ index, value, op: "SCMP_CMP_EQ" }) as const;
  for (const args of [
    [condition(0, 16n), condition(2, 9n)],
    [condition(0, 16n), condition(0, 9n)],
    [condition(0, 16n), condition(2, 8n), condition(0, 1n)],
  ])
    checkProfile(
      { defaultAction: "SCMP_ACT_ALLOW", syscalls: [{ names: ["socket"], action: "SCMP_ACT_ERRNO", args }] },
      ["x86_64"],
    );
});

describe("ENOSYS for what is newer than the profile", () => {
  const profile: Seccomp = {
    defaultAction: "SCMP_ACT_ERRNO",
    architectures: ["SCMP_ARCH_X86", "SCMP_ARCH_X32", "SCMP_ARCH_AARCH64"],
    syscalls: [{ names: ["read", "clone3", "no_such_call"], action: "SCMP_ACT_ALLOW" }],
  };
  for (const machine of Object.keys(MACHINES) as Machine[])
    test(machine, () => {
      const program = compile(profile);
      const { arch } = MACHINES[machine];
      const last = NUMBERS[machine].clone3 as number;
      const run = (number: number): number => runFilter(program, { arch, number });
      const base = machine === "x32" ? 0x40000000 : 0;
      expect(run(last)).toBe(SCMP_ACT.SCMP_ACT_ALLOW);
      expect(run(last - 1)).toBe(defaultOf(profile));
      expect(run(last + 1)).toBe(ENOSYS);
      expect(run(base + 4000)).toBe(ENOSYS);
    });
  test("a number of another architecture is left to the filter", () => {
    expect(runFilter(compile(profile), { arch: SCMP_ARCH.SCMP_ARCH_RISCV64, number: 4000 })).toBe(0);
  });
  for (const defaultAction of ["SCMP_ACT_KILL", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_TRAP"] as const)
    test(`with ${defaultAction}`, () => {
      const program = compile({ ...profile, defaultAction });
      expect(runFilter(program, { arch: MACHINES.x86_64.arch, number: 4000 })).toBe(ENOSYS);
    });
  for (const defaultAction of ["SCMP_ACT_ALLOW", "SCMP_ACT_LOG", "SCMP_ACT_TRACE"] as const)
    test(`not with ${defaultAction}`, () => {
      const syscalls = [{ names: ["read"], action: "SCMP_ACT_KILL" as const }];
      const program = compile({ defaultAction, syscalls });
      const data = defaultAction === "SCMP_ACT_TRACE" ? 1 : 0;
      expect(runFilter(program, { arch: MACHINES.x86_64.arch, number: 4000 })).toBe(
        SCMP_ACT[defaultAction] + data,
      );
    });
});

describe("architectures", () => {
  /** Of one byte order with this machine, and known to libseccomp 2.5. */
  const little: readonly ScmpArchName[] = [
    "SCMP_ARCH_X86",
    "SCMP_ARCH_X86_64",
    "SCMP_ARCH_X32",
    "SCMP_ARCH_ARM",
    "SCMP_ARCH_AARCH64",
    "SCMP_ARCH_MIPSEL",
    "SCMP_ARCH_MIPSEL64",
    "SCMP_ARCH_MIPSEL64N32",
    "SCMP_ARCH_PPC64LE",
    "SCMP_ARCH_RISCV64",
  ];
  test("all little-endian ones in one filter, each with its own head", () => {
    const program = compile({
      defaultAction: "SCMP_ACT_ERRNO",
      architectures: little,
      syscalls: [{ names: ["getpid"], action: "SCMP_ACT_ALLOW" }],
    });
    for (const name of little) {
      if (name === "SCMP_ARCH_X32") continue;
      expect([name, runFilter(program, { arch: SCMP_ARCH[name], number: 60000 })]).toEqual([name, ENOSYS]);
    }
  });
  test("one of the other byte order is told", () => {
    const profile: Seccomp = { defaultAction: "SCMP_ACT_ERRNO", architectures: ["SCMP_ARCH_S390X"] };
    expect(() => compile(profile)).toThrow(
      "linux.seccomp.architectures: seccomp_arch_add(SCMP_ARCH_S390X): ",
    );
  });
});

test("a rule that says what the default says is left out", () => {
  checkProfile(
    {
      defaultAction: "SCMP_ACT_ERRNO",
      syscalls: [{ names: ["mkdir", "futex_requeue"], action: "SCMP_ACT_ERRNO" }],
    },
    ["x86_64"],
  );
});

test("a rule that cannot be added is told with the call's name", () => {
  const args = [{ index: 0, value: 1n, op: "SCMP_CMP_EQ" as const }];
  const request = describeFilter(
    { defaultAction: "SCMP_ACT_ALLOW", syscalls: [{ names: ["mkdir"], action: "SCMP_ACT_ERRNO", args }] },
    "x86_64",
  );
  const rules = request.rules.map((rule) => ({ ...rule, action: 0x1234_5678 }));
  expect(() => compileFilter({ installDir }, { ...request, rules })).toThrow(
    'linux.seccomp.syscalls: rule for "mkdir": seccomp_rule_add_array(0x12345678, 83, 1 conditions): invalid argument',
  );
});
