// config-linux.md: the `linux` object.
import * as z from "zod/mini";
import { devicesSchema } from "./devices.ts";
import { intelRdtSchema } from "./intel-rdt.ts";
import { memoryPolicySchema } from "./memory-policy.ts";
import { idMappings, namespacesSchema, timeOffsetsSchema } from "./namespaces.ts";
import { netDevicesSchema } from "./net-devices.ts";
import { resourcesSchema } from "./resources.ts";
import {
  chapter,
  choice,
  maybeChoice,
  maybeStringMap,
  maybeStrings,
  maybeText,
  type Output,
  once,
} from "./scalars.ts";
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
const personalitySchema = once(() =>
  z.object({
    domain: choice(["LINUX", "LINUX32"]),
    /** The spec defines no value yet. */
    flags: maybeStrings,
  }),
);
export type Personality = Output<ReturnType<typeof personalitySchema>>;

export const linuxSchema = z.object({
  namespaces: z.optional(namespacesSchema),
  uidMappings: chapter(idMappings),
  gidMappings: chapter(idMappings),
  timeOffsets: chapter(timeOffsetsSchema),
  devices: chapter(devicesSchema),
  netDevices: chapter(netDevicesSchema),
  cgroupsPath: maybeText,
  resources: chapter(resourcesSchema),
  intelRdt: chapter(intelRdtSchema),
  memoryPolicy: chapter(memoryPolicySchema),
  sysctl: maybeStringMap,
  seccomp: chapter(seccompSchema),
  rootfsPropagation: maybeChoice(ROOTFS_PROPAGATIONS),
  maskedPaths: maybeStrings,
  readonlyPaths: maybeStrings,
  mountLabel: maybeText,
  personality: chapter(personalitySchema),
});
export type Linux = Output<typeof linuxSchema>;
