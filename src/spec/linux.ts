// config-linux.md: the `linux` object.
import * as z from "zod/mini";
import { devicesSchema } from "./devices.ts";
import { intelRdtSchema } from "./intel-rdt.ts";
import { memoryPolicySchema } from "./memory-policy.ts";
import { idMappings, namespacesSchema, timeOffsetsSchema } from "./namespaces.ts";
import { netDevicesSchema } from "./net-devices.ts";
import { resourcesSchema } from "./resources.ts";
import { maybeChoice, maybeStringMap, maybeStrings, maybeText, type Output } from "./scalars.ts";
import { seccompSchema } from "./seccomp.ts";

/** The r-forms are not in the spec's list, but runc and crun take them and Docker writes them. */
export const ROOTFS_PROPAGATIONS = [
  "private",
  "rprivate",
  "shared",
  "rshared",
  "slave",
  "rslave",
  "unbindable",
  "runbindable",
] as const;

/** personality(2). */
const personalitySchema = z.object({
  domain: z.enum(["LINUX", "LINUX32"]),
  /** The spec defines no value yet. */
  flags: maybeStrings,
});
export type Personality = Output<typeof personalitySchema>;

export const linuxSchema = z.object({
  namespaces: z.optional(namespacesSchema),
  uidMappings: z.optional(idMappings),
  gidMappings: z.optional(idMappings),
  timeOffsets: z.optional(timeOffsetsSchema),
  devices: z.optional(devicesSchema),
  netDevices: z.optional(netDevicesSchema),
  cgroupsPath: maybeText,
  resources: z.optional(resourcesSchema),
  intelRdt: z.optional(intelRdtSchema),
  memoryPolicy: z.optional(memoryPolicySchema),
  sysctl: maybeStringMap,
  seccomp: z.optional(seccompSchema),
  rootfsPropagation: maybeChoice(ROOTFS_PROPAGATIONS),
  maskedPaths: maybeStrings,
  readonlyPaths: maybeStrings,
  mountLabel: maybeText,
  personality: z.optional(personalitySchema),
});
export type Linux = Output<typeof linuxSchema>;
