// Annotations that are read: crun's (crun(1), "Extensions to OCI") and that of the image specification. All others are
// the user's own, and only passed on ("Annotations" in config.md).
import type { Finding } from "./check.ts";
import type { Config } from "./config-schema.ts";
import { quote } from "./problems.ts";

const KEEP_GROUPS = "run.oci.keep_original_groups";
const CONTEXT_TYPE = "run.oci.mount_context_type";
const RECEIVER = "run.oci.seccomp.receiver";
const FAIL_UNKNOWN = "run.oci.seccomp_fail_unknown_syscall";

/** The signal that `kill` sends by default (annotations.md of the image specification). */
export const STOP_SIGNAL = "org.opencontainers.image.stopSignal";

/**
 * Every annotation that can change host state or what the container may do; one that ends with a dot stands for all
 * that begin so.
 */
export const UNSAFE_ANNOTATIONS: readonly string[] = [
  KEEP_GROUPS,
  CONTEXT_TYPE,
  RECEIVER,
  "org.systemd.property.",
];

/** The kinds of SELinux context that a mount can have (mount(8)). */
const CONTEXT_TYPES = ["context", "fscontext", "defcontext", "rootcontext"] as const;
export type ContextType = (typeof CONTEXT_TYPES)[number];

/** crun's annotations that have no effect here, and why: one must not think that they had. */
const WITHOUT_EFFECT: Readonly<Record<string, string>> = {
  "run.oci.handler": "containers are processes here, never virtual machines or WebAssembly",
  "run.oci.hooks.stdout": "it would make an annotation name a file to write on the host",
  "run.oci.hooks.stderr": "it would make an annotation name a file to write on the host",
  "run.oci.pidfd_receiver": "there is --pidfd-socket",
  "run.oci.seccomp.plugins": "it would make an annotation name code to load into the runtime",
  "run.oci.seccomp_bpf_data": "it would replace linux.seccomp",
  "run.oci.systemd.force_cgroup_v1": "systemd of this age needs the host's cgroup v1",
  "run.oci.systemd.subgroup": "the container's processes are in its unit's own cgroup",
  "run.oci.delegate-cgroup": "the container's cgroup itself is delegated, with a user namespace",
};

type Annotated = Pick<Config, "annotations">;

/** Whether the process keeps the caller's supplementary groups instead of process.user.additionalGids. */
export function keepsGroups({ annotations }: Annotated): boolean {
  const value = annotations?.[KEEP_GROUPS];
  return value !== undefined && value !== "0";
}

/** The mount option that linux.mountLabel is the value of. */
export function contextType({ annotations }: Annotated): ContextType {
  return (annotations?.[CONTEXT_TYPE] as ContextType | undefined) ?? "context";
}

/** The seccomp agent's socket for a profile without listenerPath. */
export function seccompReceiver({ annotations }: Annotated): string | undefined {
  return annotations?.[RECEIVER];
}

/** Whether a system call that libseccomp does not know is an error in a profile. */
export function refusesUnknownSyscalls({ annotations }: Annotated): boolean {
  return annotations?.[FAIL_UNKNOWN] !== undefined;
}

/** Values that cannot be. */
export function checkAnnotations(annotations: Readonly<Record<string, string>>): Finding[] {
  const findings: Finding[] = [];
  if (Object.hasOwn(annotations, "")) findings.push("must not have an empty key");
  const type = annotations[CONTEXT_TYPE];
  if (type !== undefined && !CONTEXT_TYPES.includes(type as ContextType))
    findings.push({
      at: [CONTEXT_TYPE],
      message: `must be one of ${CONTEXT_TYPES.join(", ")}, not ${quote(type)}`,
    });
  const receiver = annotations[RECEIVER];
  if (receiver !== undefined && !receiver.startsWith("/"))
    findings.push({ at: [RECEIVER], message: `must be an absolute path, not ${quote(receiver)}` });
  return findings;
}

/** Advice about annotations that another runtime would act on. */
export function findIdleAnnotations(annotations: Readonly<Record<string, string>>): Finding[] {
  const findings: Finding[] = [];
  for (const name of Object.keys(WITHOUT_EFFECT))
    if (Object.hasOwn(annotations, name))
      findings.push({ at: [name], message: `has no effect: ${WITHOUT_EFFECT[name]}` });
  return findings;
}
