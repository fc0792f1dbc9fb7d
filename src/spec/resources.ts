// config-linux.md "Control groups": linux.resources, which `update --resources` takes too.
import * as z from "zod/mini";
import {
  boolean,
  int64,
  type Output,
  optionalChoice,
  optionalText,
  string,
  stringMap,
  uint16,
  uint32,
  uint64,
} from "./scalars.ts";

const deviceRuleSchema = z.object({
  allow: boolean,
  /** All (the default), character, block. */
  type: optionalChoice(["a", "c", "b"]),
  /** Absent: all. So is -1, which Docker writes. */
  major: z.optional(int64),
  minor: z.optional(int64),
  /** Some of `r`, `w`, `m`. */
  access: z.optional(string),
});
export type DeviceRule = Output<typeof deviceRuleSchema>;

/** Bytes; -1 is unlimited. */
const memorySchema = z.object({
  limit: z.optional(int64),
  reservation: z.optional(int64),
  /** Memory and swap together. */
  swap: z.optional(int64),
  kernel: z.optional(int64),
  kernelTCP: z.optional(int64),
  /** 0 to 100. */
  swappiness: z.optional(uint64),
  disableOOMKiller: z.optional(boolean),
  useHierarchy: z.optional(boolean),
  checkBeforeUpdate: z.optional(boolean),
});
export type MemoryResources = Output<typeof memorySchema>;

/** Times are in microseconds. */
const cpuSchema = z.object({
  shares: z.optional(uint64),
  quota: z.optional(int64),
  burst: z.optional(uint64),
  period: z.optional(uint64),
  realtimeRuntime: z.optional(int64),
  realtimePeriod: z.optional(uint64),
  /** List such as `0-3,7`; so is `mems`. */
  cpus: optionalText,
  mems: optionalText,
  idle: z.optional(int64),
});
export type CpuResources = Output<typeof cpuSchema>;

const pidsSchema = z.object({
  /** -1 is no limit. */
  limit: z.optional(int64),
});

const weightDevices = z.array(
  z.object({ major: int64, minor: int64, weight: z.optional(uint16), leafWeight: z.optional(uint16) }),
);
/** Bytes a second, or operations a second. */
const throttleDevices = z.array(z.object({ major: int64, minor: int64, rate: uint64 }));
const blockIoSchema = z.object({
  weight: z.optional(uint16),
  leafWeight: z.optional(uint16),
  weightDevice: z.optional(weightDevices),
  throttleReadBpsDevice: z.optional(throttleDevices),
  throttleWriteBpsDevice: z.optional(throttleDevices),
  throttleReadIOPSDevice: z.optional(throttleDevices),
  throttleWriteIOPSDevice: z.optional(throttleDevices),
});
export type BlockIoResources = Output<typeof blockIoSchema>;

const hugepageLimitSchema = z.object({
  /** `64KB`, `2MB`, `1GB`. */
  pageSize: string,
  /** Bytes. */
  limit: uint64,
});

const networkSchema = z.object({
  classID: z.optional(uint32),
  priorities: z.optional(z.array(z.object({ name: string, priority: uint32 }))),
});

const rdmaSchema = z.object({ hcaHandles: z.optional(uint32), hcaObjects: z.optional(uint32) });

export const resourcesSchema = z.object({
  devices: z.optional(z.array(deviceRuleSchema)),
  memory: z.optional(memorySchema),
  cpu: z.optional(cpuSchema),
  pids: z.optional(pidsSchema),
  blockIO: z.optional(blockIoSchema),
  hugepageLimits: z.optional(z.array(hugepageLimitSchema)),
  network: z.optional(networkSchema),
  rdma: z.optional(z.record(string, rdmaSchema)),
  /** Files of cgroup v2 and what to write to them. */
  unified: z.optional(stringMap),
});
export type Resources = Output<typeof resourcesSchema>;
