// config-linux.md "Control groups": linux.resources, which `update --resources` takes too.
import * as z from "zod/mini";
import {
  boolean,
  chapter,
  int64,
  maybeBoolean,
  maybeChoice,
  maybeInt64,
  maybeString,
  maybeStringMap,
  maybeText,
  maybeUint16,
  maybeUint32,
  maybeUint64,
  type Output,
  once,
  string,
  uint32,
  uint64,
} from "./scalars.ts";

const deviceRuleSchema = z.object({
  allow: boolean,
  /** All (the default), character, block. */
  type: maybeChoice(["a", "c", "b"]),
  /** Absent: all. So is -1, which Docker writes. */
  major: maybeInt64,
  minor: maybeInt64,
  /** Some of `r`, `w`, `m`. */
  access: maybeString,
});
export type DeviceRule = Output<typeof deviceRuleSchema>;

/** Bytes; -1 is unlimited. */
const memorySchema = once(() =>
  z.object({
    limit: maybeInt64,
    reservation: maybeInt64,
    /** Memory and swap together. */
    swap: maybeInt64,
    kernel: maybeInt64,
    kernelTCP: maybeInt64,
    /** 0 to 100. */
    swappiness: maybeUint64,
    disableOOMKiller: maybeBoolean,
    useHierarchy: maybeBoolean,
    checkBeforeUpdate: maybeBoolean,
  }),
);
export type MemoryResources = Output<ReturnType<typeof memorySchema>>;

/** Times are in microseconds. */
const cpuSchema = once(() =>
  z.object({
    shares: maybeUint64,
    quota: maybeInt64,
    burst: maybeUint64,
    period: maybeUint64,
    realtimeRuntime: maybeInt64,
    realtimePeriod: maybeUint64,
    /** List such as `0-3,7`; so is `mems`. */
    cpus: maybeText,
    mems: maybeText,
    idle: maybeInt64,
  }),
);
export type CpuResources = Output<ReturnType<typeof cpuSchema>>;

const pidsSchema = z.object({
  /** -1 is no limit. */
  limit: maybeInt64,
});

const weightDevices = once(() =>
  z.array(z.object({ major: int64, minor: int64, weight: maybeUint16, leafWeight: maybeUint16 })),
);
/** Bytes a second, or operations a second. */
const throttleDevices = once(() => z.array(z.object({ major: int64, minor: int64, rate: uint64 })));
const blockIoSchema = once(() =>
  z.object({
    weight: maybeUint16,
    leafWeight: maybeUint16,
    weightDevice: z.optional(weightDevices()),
    throttleReadBpsDevice: z.optional(throttleDevices()),
    throttleWriteBpsDevice: z.optional(throttleDevices()),
    throttleReadIOPSDevice: z.optional(throttleDevices()),
    throttleWriteIOPSDevice: z.optional(throttleDevices()),
  }),
);
export type BlockIoResources = Output<ReturnType<typeof blockIoSchema>>;

const hugepageLimitSchema = once(() =>
  z.object({
    /** `64KB`, `2MB`, `1GB`. */
    pageSize: string,
    /** Bytes. */
    limit: uint64,
  }),
);

const networkSchema = once(() =>
  z.object({
    classID: maybeUint32,
    priorities: z.optional(z.array(z.object({ name: string, priority: uint32 }))),
  }),
);

const rdmaSchema = once(() => z.object({ hcaHandles: maybeUint32, hcaObjects: maybeUint32 }));

export const resourcesSchema = once(() =>
  z.object({
    devices: z.optional(z.array(deviceRuleSchema)),
    memory: chapter(memorySchema),
    cpu: chapter(cpuSchema),
    pids: z.optional(pidsSchema),
    blockIO: chapter(blockIoSchema),
    hugepageLimits: z.optional(z.array(hugepageLimitSchema())),
    network: chapter(networkSchema),
    rdma: z.optional(z.record(string, rdmaSchema())),
    /** Files of cgroup v2 and what to write to them. */
    unified: maybeStringMap,
  }),
);
export type Resources = Output<ReturnType<typeof resourcesSchema>>;
