// Loads a container's device filter into the kernel and attaches it to its cgroup (cgroup v2). Source: bpf(2),
// Documentation/bpf/prog_cgroup_device; include/uapi/linux/bpf.h.
import { closeSync, openSync } from "node:fs";
import { type Libc, loadLibc } from "../../native-bindings/libc.ts";
import type { DeviceFilter } from "../cgroup/types.ts";
import type { Context } from "../context.ts";
import { SyscallError, toSyscallError } from "../errors.ts";
import { closeFd } from "./fd.ts";

const BPF_PROG_LOAD = 5;
const BPF_PROG_ATTACH = 8;
const BPF_PROG_TYPE_CGROUP_DEVICE = 15;
const BPF_CGROUP_DEVICE = 6;
const BPF_F_ALLOW_MULTI = 2;
/** More than any kernel's `union bpf_attr`: some write past the part that a command uses. */
const ATTR_SIZE = 256;
const USED_SIZE = 64;
const INSN_SIZE = 8;
/** As bpftool(8) shows it, beside systemd's; at most 15 letters, digits, `_`, `.`. */
const NAME = "tsrunc_devices";

/** Attaches the filter; it goes away with the cgroup. Throws SyscallError. */
export function attachDeviceFilter(ctx: Context, filter: DeviceFilter): void {
  const libc = loadLibc(ctx.installDir);
  const program = loadProgram(libc, filter);
  try {
    const dir = openDirectory(filter.dir);
    try {
      attach(libc, filter, dir, program);
    } finally {
      closeSync(dir);
    }
  } finally {
    closeFd(libc, program);
  }
}

function openDirectory(path: string): number {
  try {
    return openSync(path, "r"); // close-on-exec, as all of node's
  } catch (error) {
    throw toSyscallError(error, "linux.resources.devices: open the container's cgroup", `open("${path}")`);
  }
}

function loadProgram(libc: Libc, filter: DeviceFilter): number {
  const license = new TextEncoder().encode("Apache-2.0\0");
  const attr = makeAttr([BPF_PROG_TYPE_CGROUP_DEVICE, filter.program.length / INSN_SIZE]);
  const view = new DataView(attr.buffer);
  view.setBigUint64(8, libc.address(filter.program), true);
  view.setBigUint64(16, libc.address(license), true);
  attr.set(new TextEncoder().encode(NAME), 48); // prog_name
  const program = libc.bpf(BPF_PROG_LOAD, attr, USED_SIZE);
  if (program >= 0) return program;
  throw new SyscallError(`${filter.why}: load the device filter`, "bpf(BPF_PROG_LOAD)", libc.errno());
}

function attach(libc: Libc, filter: DeviceFilter, dir: number, program: number): void {
  const attr = makeAttr([dir, program, BPF_CGROUP_DEVICE, BPF_F_ALLOW_MULTI]);
  if (libc.bpf(BPF_PROG_ATTACH, attr, USED_SIZE) >= 0) return;
  throw new SyscallError(
    `${filter.why}: attach the device filter to ${filter.dir}`,
    "bpf(BPF_PROG_ATTACH, BPF_CGROUP_DEVICE)",
    libc.errno(),
  );
}

/** A `union bpf_attr` that begins with these 32-bit members. */
function makeAttr(members: readonly number[]): Uint8Array<ArrayBuffer> {
  const attr = new Uint8Array(ATTR_SIZE);
  const view = new DataView(attr.buffer);
  for (const [i, member] of members.entries()) view.setUint32(4 * i, member, true);
  return attr;
}
