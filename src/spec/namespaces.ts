// config-linux.md "Namespaces", "User namespace mappings", "Offset for Time Namespace".
import * as z from "zod/mini";
import { choice, id, maybeInt64, maybeText, type Output, once, range, uint32 } from "./scalars.ts";

export const NAMESPACE_TYPES = ["pid", "network", "mount", "ipc", "uts", "user", "cgroup", "time"] as const;
export type NamespaceType = (typeof NAMESPACE_TYPES)[number];

const namespaceSchema = z.object({
  type: choice(NAMESPACE_TYPES),
  /** File of a namespace to join, absolute; absent for a new one. */
  path: maybeText,
});
export type LinuxNamespace = Output<typeof namespaceSchema>;
export const namespacesSchema = z.array(namespaceSchema);

const idMappingSchema = once(() =>
  z.object({
    /** First id inside the container. */
    containerID: id,
    /** First id on the host. */
    hostID: id,
    /** How many ids, at least 1. */
    size: uint32,
  }),
);
export type IdMapping = Output<ReturnType<typeof idMappingSchema>>;
export const idMappings = once(() => z.array(idMappingSchema()));

const timeOffsetSchema = once(() =>
  z.object({
    /** Seconds. */
    secs: maybeInt64,
    /** Nanoseconds, added to `secs`. */
    nanosecs: z.optional(range(0, 999_999_999)),
  }),
);
/** Keys are clock names: `monotonic`, `boottime` (time_namespaces(7)). */
export const timeOffsetsSchema = once(() => z.record(z.string(), timeOffsetSchema()));
export type TimeOffset = Output<ReturnType<typeof timeOffsetSchema>>;
export type TimeOffsets = Output<ReturnType<typeof timeOffsetsSchema>>;
