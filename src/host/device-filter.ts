// Loads a container's device filter into the kernel and attaches it to its cgroup (cgroup v2). Source: bpf(2),
// Documentation/bpf/prog_cgroup_device; include/uapi/linux/bpf.h.
import { closeSync, openSync } from "node:fs";
import { loadLibc } from "../../native-bindings/libc.ts";
import type { DeviceFilter } from "../cgroup/types.ts";
import type { Context } from "../context.ts";
import { SyscallError } from "../errors.ts";
import { closeFd } from "./fd.ts";

const BPF_PROG_LOAD = 5;
const BPF_PROG_ATTACH = 8;
const BPF_PROG_TYPE_CGROUP_DEVICE = 15;
const BPF_CGROUP_DEVICE = 6;
const BPF_F_ALLOW_MULTI = 2;
/** More than any kernel's `union bpf_attr`: some write past the part that a command uses. */
const ATTR_SIZE = 256;
const USED_SIZE = 48;
const INSN_SIZE = 8;

/** Attaches the filter; it goes away with the cgroup. Throws SyscallError. */
export function attachDeviceFilter(ctx: Context, filter: DeviceFilter): void {
  const libc = loadLibc(ctx.installDir);
  const license = new TextEncoder().encode("Apache-2.0\0");
  const load = new Uint8Array(ATTR_SIZE);
  const view = new DataView(load.buffer);
  view.setUint32(0, BPF_PROG_TYPE_CGROUP_DEVICE, true);
  view.setUint32(4, filter.program.length / INSN_SIZE, true);
  view.setBigUint64(8, libc.address(filter.program), true);
  view.setBigUint64(16, libc.address(license), true);
  const program = libc.bpf(BPF_PROG_LOAD, load, USED_SIZE);
  if (program < 0)
    throw new SyscallError(`${filter.why}: load the device filter`, "bpf(BPF_PROG_LOAD)", libc.errno());
  const dir = openSync(filter.dir, "r");
  try {
    const attach = new Uint8Array(ATTR_SIZE);
    const values = [dir, program, BPF_CGROUP_DEVICE, BPF_F_ALLOW_MULTI];
    for (const [i, value] of values.entries()) new DataView(attach.buffer).setUint32(4 * i, value, true);
    if (libc.bpf(BPF_PROG_ATTACH, attach, USED_SIZE) < 0)
      throw new SyscallError(
        `${filter.why}: attach the device filter to ${filter.dir}`,
        "bpf(BPF_PROG_ATTACH, BPF_CGROUP_DEVICE)",
        libc.errno(),
      );
  } finally {
    closeSync(dir);
    closeFd(libc, program);
  }
}
