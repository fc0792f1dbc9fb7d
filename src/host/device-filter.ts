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
const BPF_PROG_DETACH = 9;
const BPF_PROG_GET_FD_BY_ID = 13;
const BPF_OBJ_GET_INFO_BY_FD = 15;
const BPF_PROG_QUERY = 16;
const BPF_PROG_TYPE_CGROUP_DEVICE = 15;
const BPF_CGROUP_DEVICE = 6;
const BPF_F_ALLOW_MULTI = 2;
/** Linux 5.6. */
const BPF_F_REPLACE = 4;
/** More than any kernel's `union bpf_attr`: some write past the part that a command uses. */
const ATTR_SIZE = 256;
const USED_SIZE = 64;
const INSN_SIZE = 8;
/** BPF_CGROUP_MAX_PROGS of the kernel. */
const MAX_PROGRAMS = 64;
/** Tells this program's filters from those of others, such as systemd's; at most 15 letters, digits, `_`, `.`. */
const NAME = "tsrunc_devices";
/** `struct bpf_prog_info`: offset of `name`, and as much of it as holds that. */
const INFO_NAME = 64;
const INFO_SIZE = 80;

/** Attaches the filter; it goes away with the cgroup. Throws SyscallError. */
export function attachDeviceFilter(ctx: Context, filter: DeviceFilter): void {
  const libc = loadLibc(ctx.installDir);
  const program = loadProgram(libc, filter);
  try {
    withDirectory(filter.dir, (dir) => attach(libc, filter, dir, program, undefined));
  } finally {
    closeFd(libc, program);
  }
}

/**
 * Puts a filter in the place of the one that {@link attachDeviceFilter} has attached to a cgroup, in one step: at
 * every moment one of them holds. Undefined: every device is allowed from now on. Throws SyscallError.
 */
export function replaceDeviceFilter(ctx: Context, path: string, filter: DeviceFilter | undefined): void {
  const libc = loadLibc(ctx.installDir);
  withDirectory(path, (dir) => {
    const opened: number[] = [];
    try {
      findPrograms(libc, path, dir, opened);
      const [old, ...more] = [...opened];
      if (filter) {
        const program = loadProgram(libc, filter);
        opened.push(program);
        attach(libc, filter, dir, program, old);
      }
      // All of them have to allow an access, so those that are left over can go later.
      const leftOver = filter || old === undefined ? more : [old, ...more];
      for (const other of leftOver) detach(libc, path, dir, other);
    } finally {
      for (const fd of opened) closeFd(libc, fd);
    }
  });
}

function withDirectory(path: string, action: (dir: number) => void): void {
  const dir = openDirectory(path);
  try {
    action(dir);
  } finally {
    closeSync(dir);
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

/** `old`: the program whose place it takes. */
function attach(
  libc: Libc,
  filter: DeviceFilter,
  dir: number,
  program: number,
  old: number | undefined,
): void {
  const flags = BPF_F_ALLOW_MULTI | (old === undefined ? 0 : BPF_F_REPLACE);
  const attr = makeAttr([dir, program, BPF_CGROUP_DEVICE, flags, old ?? 0]);
  if (libc.bpf(BPF_PROG_ATTACH, attr, USED_SIZE) >= 0) return;
  throw new SyscallError(
    `${filter.why}: attach the device filter to ${filter.dir}`,
    "bpf(BPF_PROG_ATTACH, BPF_CGROUP_DEVICE)",
    libc.errno(),
  );
}

function detach(libc: Libc, path: string, dir: number, program: number): void {
  if (libc.bpf(BPF_PROG_DETACH, makeAttr([dir, program, BPF_CGROUP_DEVICE]), USED_SIZE) >= 0) return;
  const intent = `linux.resources.devices: detach the device filter from ${path}`;
  throw new SyscallError(intent, "bpf(BPF_PROG_DETACH, BPF_CGROUP_DEVICE)", libc.errno());
}

/** Opens this program's filters on a cgroup, into `found`, which is the caller's to close also after an error. */
function findPrograms(libc: Libc, path: string, dir: number, found: number[]): void {
  const intent = `linux.resources.devices: find the device filter of ${path}`;
  const ids = new Uint32Array(MAX_PROGRAMS);
  const query = makeAttr([dir, BPF_CGROUP_DEVICE]);
  const view = new DataView(query.buffer);
  view.setBigUint64(16, libc.address(new Uint8Array(ids.buffer)), true);
  view.setUint32(24, ids.length, true);
  if (libc.bpf(BPF_PROG_QUERY, query, USED_SIZE) < 0)
    throw new SyscallError(intent, "bpf(BPF_PROG_QUERY, BPF_CGROUP_DEVICE)", libc.errno());
  for (const id of ids.subarray(0, view.getUint32(24, true))) {
    const program = libc.bpf(BPF_PROG_GET_FD_BY_ID, makeAttr([id]), USED_SIZE);
    if (program < 0) throw new SyscallError(intent, "bpf(BPF_PROG_GET_FD_BY_ID)", libc.errno());
    found.push(program);
    if (readName(libc, intent, program) === NAME) continue;
    found.pop();
    closeFd(libc, program);
  }
}

function readName(libc: Libc, intent: string, program: number): string {
  const info = new Uint8Array(INFO_SIZE);
  const attr = makeAttr([program, info.length]);
  new DataView(attr.buffer).setBigUint64(8, libc.address(info), true);
  if (libc.bpf(BPF_OBJ_GET_INFO_BY_FD, attr, USED_SIZE) < 0)
    throw new SyscallError(intent, "bpf(BPF_OBJ_GET_INFO_BY_FD)", libc.errno());
  const name = info.subarray(INFO_NAME);
  return new TextDecoder().decode(name.subarray(0, name.indexOf(0)));
}

/** A `union bpf_attr` that begins with these 32-bit members. */
function makeAttr(members: readonly number[]): Uint8Array<ArrayBuffer> {
  const attr = new Uint8Array(ATTR_SIZE);
  const view = new DataView(attr.buffer);
  for (const [i, member] of members.entries()) view.setUint32(4 * i, member, true);
  return attr;
}
