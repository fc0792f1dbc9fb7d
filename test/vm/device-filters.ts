// Takes a cgroup's device filters away, as programs do that put others in their place. Source: bpf(2).
import { closeSync, openSync } from "node:fs";
import koffi from "koffi";

const SYS_BPF = process.arch === "arm64" ? 280 : 321;
const BPF_PROG_DETACH = 9;
const BPF_PROG_GET_FD_BY_ID = 13;
const BPF_PROG_QUERY = 16;
const BPF_CGROUP_DEVICE = 6;
const MOST = 64;

/** Detaches all device filters of a cgroup's directory, and gives their number. */
export function detachDeviceFilters(path: string): number {
  const syscall = koffi.load(null).func("long syscall(long number, long command, void *attr, long size)");
  const bpf = (command: number, attr: Uint8Array): number => {
    const result = Number(syscall(SYS_BPF, command, attr, attr.length));
    if (result < 0) throw new Error(`bpf(${command}) failed`);
    return result;
  };
  const dir = openSync(path, "r");
  try {
    const ids = new Uint32Array(MOST);
    const query = makeAttr(dir, BPF_CGROUP_DEVICE);
    const view = new DataView(query.buffer);
    view.setBigUint64(16, BigInt(koffi.address(ids)), true);
    view.setUint32(24, MOST, true);
    bpf(BPF_PROG_QUERY, query);
    const found = ids.subarray(0, view.getUint32(24, true));
    for (const id of found) {
      const program = bpf(BPF_PROG_GET_FD_BY_ID, makeAttr(id));
      bpf(BPF_PROG_DETACH, makeAttr(dir, program, BPF_CGROUP_DEVICE));
      closeSync(program);
    }
    return found.length;
  } finally {
    closeSync(dir);
  }
}

/** A `union bpf_attr` that begins with these 32-bit members. */
function makeAttr(...members: readonly number[]): Uint8Array<ArrayBuffer> {
  const attr = new Uint8Array(128);
  new Uint32Array(attr.buffer).set(members);
  return attr;
}
