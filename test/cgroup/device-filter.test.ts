// The kernel loads the device filter and does what it says. cgroup2 takes one on a hybrid host as well.
import { afterEach, expect, test } from "bun:test";
import { closeSync, mkdirSync, openSync, rmdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import koffi from "koffi";
import { planDevicesV2 } from "../../src/cgroup/devices.ts";
import { readCgroupLayout } from "../../src/cgroup/layout.ts";
import type { DeviceRule } from "../../src/spec/resources.ts";

const BPF_PROG_LOAD = 5;
const BPF_PROG_ATTACH = 8;
const BPF_PROG_TYPE_CGROUP_DEVICE = 15;
const BPF_CGROUP_DEVICE = 6;
const BPF_F_ALLOW_MULTI = 2;
const SYS_BPF = process.arch === "arm64" ? 280 : 321;

const syscall = koffi.load(null).func("long syscall(long number, long command, void *attr, long size)");

/** bpf(2) with a `union bpf_attr` of 128 bytes. */
function bpf(command: number, fill: (attr: DataView) => void): number {
  const attr = new Uint8Array(128);
  fill(new DataView(attr.buffer));
  return Number(syscall(SYS_BPF, command, attr, attr.length));
}

function load(program: Uint8Array): number {
  const license = new TextEncoder().encode("Apache-2.0\0");
  return bpf(BPF_PROG_LOAD, (attr) => {
    attr.setUint32(0, BPF_PROG_TYPE_CGROUP_DEVICE, true);
    attr.setUint32(4, program.length / 8, true);
    attr.setBigUint64(8, BigInt(koffi.address(program)), true);
    attr.setBigUint64(16, BigInt(koffi.address(license)), true);
  });
}

const layout = readCgroupLayout();
const unified = process.getuid?.() === 0 ? layout.unified : undefined;
const probe = new Uint8Array([0xb4, 0, 0, 0, 1, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0]);
const probeFd = unified ? load(probe) : -1;
const canFilter = probeFd >= 0;
if (canFilter) closeSync(probeFd);
const directory = `${unified?.mountPoint}/tsrunc-test-filter-${process.pid}`;
const node = `${tmpdir()}/tsrunc-test-node-${process.pid}`;

afterEach(() => rmSync(node, { force: true }));

/** Output of a shell in a cgroup with the filter for some rules. */
function runFiltered(rules: readonly DeviceRule[], script: string): string {
  mkdirSync(directory);
  const fds: number[] = [];
  try {
    const filter = planDevicesV2(rules, directory);
    if (!filter) throw new Error("no filter");
    const program = load(filter.program);
    expect(program).toBeGreaterThanOrEqual(0);
    fds.push(program);
    const dir = openSync(filter.dir, "r");
    fds.push(dir);
    const attached = bpf(BPF_PROG_ATTACH, (attr) => {
      for (const [i, value] of [dir, program, BPF_CGROUP_DEVICE, BPF_F_ALLOW_MULTI].entries())
        attr.setUint32(i * 4, value, true);
    });
    expect(attached).toBe(0);
    const join = `echo 0 > ${directory}/cgroup.procs`;
    return Bun.spawnSync(["bash", "-c", `${join}; ${script}`], { stderr: "ignore" })
      .stdout.toString()
      .trim();
  } finally {
    for (const fd of fds) closeSync(fd);
    rmdirSync(directory);
  }
}

/** Makes the node of a character device, and says how it can be opened. */
const probeNode = (numbers: string): string =>
  `mknod ${node} c ${numbers} && echo made; : < ${node} && echo read; : > ${node} && echo write; : <> ${node} && echo both; true`;

test.skipIf(!canFilter)("the defaults: /dev/zero is open, every node can be made", () => {
  expect(runFiltered([], probeNode("1 5")).split("\n")).toEqual(["made", "read", "write", "both"]);
});

test.skipIf(!canFilter)("the defaults: /dev/kmsg is closed", () => {
  expect(runFiltered([], probeNode("1 11"))).toBe("made");
});

test.skipIf(!canFilter)("a rule of the config", () => {
  const rules: DeviceRule[] = [{ allow: true, type: "c", major: 1n, minor: -1n, access: "r" }];
  expect(runFiltered(rules, probeNode("1 11")).split("\n")).toEqual(["made", "read"]);
});

test.skipIf(!canFilter)("an exception from everything denies also what asks for more", () => {
  const rules: DeviceRule[] = [
    { allow: true, access: "rwm" },
    { allow: false, type: "c", major: 1n, minor: 11n, access: "w" },
  ];
  expect(runFiltered(rules, probeNode("1 11")).split("\n")).toEqual(["made", "read"]);
});
