// The io controller, on v1 blkio: weights, and limits for each device in bytes or operations a second; a weight of
// 0 asks for nothing (kernel: cgroup-v1/blkio-controller.rst, cgroup-v2.rst "IO", block/bfq-iosched.rst).
import { TsruncError } from "../errors.ts";
import type { BlockIoResources } from "../spec/resources.ts";
import type { CgroupWrite } from "./types.ts";

const BLOCK_IO = "linux.resources.blockIO";

/** The members that limit, with their file on v1 and their key in io.max on v2. */
const THROTTLES = [
  ["throttleReadBpsDevice", "blkio.throttle.read_bps_device", "rbps"],
  ["throttleWriteBpsDevice", "blkio.throttle.write_bps_device", "wbps"],
  ["throttleReadIOPSDevice", "blkio.throttle.read_iops_device", "riops"],
  ["throttleWriteIOPSDevice", "blkio.throttle.write_iops_device", "wiops"],
] as const;

/** A rate of 0 lifts a device's limit. */
export function planBlockIoV1(blockIo: BlockIoResources = {}): readonly CgroupWrite[] {
  const hierarchy = "blkio";
  const writes: CgroupWrite[] = [];
  // The first name is that of CFQ, which Linux 5.0 has dropped; kernels of distributors have it still.
  const weigh = (file: string, value: string, why: string): void => {
    const ifMissing = { file: file.replace("blkio.", "blkio.bfq."), value };
    writes.push({ hierarchy, file, value, why, ifMissing });
  };
  const { weight, leafWeight } = blockIo;
  if (weight) weigh("blkio.weight", String(weight), `${BLOCK_IO}.weight`);
  if (leafWeight) {
    const value = String(leafWeight);
    writes.push({ hierarchy, file: "blkio.leaf_weight", value, why: `${BLOCK_IO}.leafWeight` });
  }
  for (const [i, device] of (blockIo.weightDevice ?? []).entries()) {
    const why = `${BLOCK_IO}.weightDevice[${i}]`;
    const number = formatDevice(device);
    if (device.weight) weigh("blkio.weight_device", `${number} ${device.weight}`, why);
    if (!device.leafWeight) continue;
    const value = `${number} ${device.leafWeight}`;
    writes.push({ hierarchy, file: "blkio.leaf_weight_device", value, why });
  }
  for (const [member, file] of THROTTLES) {
    for (const [i, device] of (blockIo[member] ?? []).entries()) {
      const value = `${formatDevice(device)} ${device.rate}`;
      writes.push({ hierarchy, file, value, why: `${BLOCK_IO}.${member}[${i}]` });
    }
  }
  return writes;
}

/** Throws TsruncError for the leaf weights, which v2 has no equivalent of. */
export function planBlockIoV2(blockIo: BlockIoResources = {}): readonly CgroupWrite[] {
  const hierarchy = "unified";
  const writes: CgroupWrite[] = [];
  if (blockIo.leafWeight) throw noLeafWeight(`${BLOCK_IO}.leafWeight`);
  // BFQ takes the spec's numbers as they are; the kernel has its file while the scheduler's module is loaded.
  const weigh = (prefix: string, weight: number, why: string): void => {
    const ifMissing = { file: "io.weight", value: `${prefix}${convertWeight(weight)}` };
    writes.push({ hierarchy, file: "io.bfq.weight", value: `${prefix}${weight}`, why, ifMissing });
  };
  if (blockIo.weight) weigh("", blockIo.weight, `${BLOCK_IO}.weight`);
  for (const [i, device] of (blockIo.weightDevice ?? []).entries()) {
    const why = `${BLOCK_IO}.weightDevice[${i}]`;
    if (device.leafWeight) throw noLeafWeight(`${why}.leafWeight`);
    if (device.weight) weigh(`${formatDevice(device)} `, device.weight, why);
  }
  for (const [member, , key] of THROTTLES) {
    for (const [i, device] of (blockIo[member] ?? []).entries()) {
      const value = `${formatDevice(device)} ${key}=${device.rate === 0n ? "max" : device.rate}`;
      writes.push({ hierarchy, file: "io.max", value, why: `${BLOCK_IO}.${member}[${i}]` });
    }
  }
  return writes;
}

function noLeafWeight(path: string): TsruncError {
  return new TsruncError(`${path}: cgroup v2 has no leaf weights`);
}

function formatDevice({ major, minor }: { readonly major: bigint; readonly minor: bigint }): string {
  return `${major}:${minor}`;
}

/** BFQ's weight (10 to 1000) as a weight of io.weight (1 to 10000), as runc and crun convert it. */
function convertWeight(weight: number): number {
  return Math.max(1, 1 + Math.trunc(((weight - 10) * 9999) / 990));
}
