// config.md "Process", "POSIX process", "Linux Process", "User". `commandLine` and `user.username` are Windows' only.
import * as z from "zod/mini";
import {
  chapter,
  choice,
  id,
  maybeBoolean,
  maybeInt32,
  maybeStrings,
  maybeText,
  maybeUint64,
  type Output,
  once,
  range,
  string,
  uint16,
  uint64,
} from "./scalars.ts";

/** getrlimit(2). */
export const RLIMIT_TYPES = [
  "RLIMIT_AS",
  "RLIMIT_CORE",
  "RLIMIT_CPU",
  "RLIMIT_DATA",
  "RLIMIT_FSIZE",
  "RLIMIT_LOCKS",
  "RLIMIT_MEMLOCK",
  "RLIMIT_MSGQUEUE",
  "RLIMIT_NICE",
  "RLIMIT_NOFILE",
  "RLIMIT_NPROC",
  "RLIMIT_RSS",
  "RLIMIT_RTPRIO",
  "RLIMIT_RTTIME",
  "RLIMIT_SIGPENDING",
  "RLIMIT_STACK",
] as const;

/** sched(7). */
export const SCHEDULER_POLICIES = [
  "SCHED_OTHER",
  "SCHED_FIFO",
  "SCHED_RR",
  "SCHED_BATCH",
  "SCHED_ISO",
  "SCHED_IDLE",
  "SCHED_DEADLINE",
] as const;

/** sched_setattr(2). */
export const SCHEDULER_FLAGS = [
  "SCHED_FLAG_RESET_ON_FORK",
  "SCHED_FLAG_RECLAIM",
  "SCHED_FLAG_DL_OVERRUN",
  "SCHED_FLAG_KEEP_POLICY",
  "SCHED_FLAG_KEEP_PARAMS",
  "SCHED_FLAG_UTIL_CLAMP_MIN",
  "SCHED_FLAG_UTIL_CLAMP_MAX",
] as const;

/** ioprio_set(2). */
export const IO_PRIORITY_CLASSES = ["IOPRIO_CLASS_RT", "IOPRIO_CLASS_BE", "IOPRIO_CLASS_IDLE"] as const;

const userSchema = z.object({
  uid: id,
  gid: id,
  /** File mode bits. Absent: the caller decides the default. */
  umask: z.optional(range(0, 0o777)),
  additionalGids: z.optional(z.array(id)),
});
export type User = Output<typeof userSchema>;

const rlimitSchema = z.object({
  type: choice(RLIMIT_TYPES),
  /** 2^64-1 is RLIM_INFINITY. */
  soft: uint64,
  hard: uint64,
});
export type Rlimit = Output<typeof rlimitSchema>;

/** Names are kept as they are: one that the kernel does not know is a warning, not an error. */
const capabilitiesSchema = z.object({
  bounding: maybeStrings,
  effective: maybeStrings,
  inheritable: maybeStrings,
  permitted: maybeStrings,
  ambient: maybeStrings,
});
export type Capabilities = Output<typeof capabilitiesSchema>;

const schedulerSchema = once(() =>
  z.object({
    policy: choice(SCHEDULER_POLICIES),
    nice: maybeInt32,
    priority: maybeInt32,
    flags: z.optional(z.array(choice(SCHEDULER_FLAGS))),
    /** Nanoseconds; SCHED_DEADLINE only, as the two below. */
    runtime: maybeUint64,
    deadline: maybeUint64,
    period: maybeUint64,
  }),
);
export type Scheduler = Output<ReturnType<typeof schedulerSchema>>;

const ioPrioritySchema = once(() =>
  z.object({
    class: choice(IO_PRIORITY_CLASSES),
    /** 0 is the highest. */
    priority: range(0, 7),
  }),
);
export type IoPriority = Output<ReturnType<typeof ioPrioritySchema>>;

/** Lists of CPUs such as `0-3,7`. For exec only. */
const cpuAffinitySchema = once(() => z.object({ initial: maybeText, final: maybeText }));
export type ExecCpuAffinity = Output<ReturnType<typeof cpuAffinitySchema>>;

const ROOT_USER = Object.freeze({ uid: 0, gid: 0 });

export const processSchema = z.object({
  terminal: maybeBoolean,
  /** Characters. Ignored without `terminal`. */
  consoleSize: z.optional(z.object({ height: uint16, width: uint16 })),
  cwd: string,
  env: maybeStrings,
  args: maybeStrings,
  /** Root if the document has none. */
  user: z._default(userSchema, ROOT_USER),
  rlimits: z.optional(z.array(rlimitSchema)),
  capabilities: z.optional(capabilitiesSchema),
  noNewPrivileges: maybeBoolean,
  apparmorProfile: maybeText,
  selinuxLabel: maybeText,
  /** proc_pid_oom_score_adj(5). Absent: unchanged. */
  oomScoreAdj: z.optional(range(-1000, 1000)),
  scheduler: chapter(schedulerSchema),
  ioPriority: chapter(ioPrioritySchema),
  execCPUAffinity: chapter(cpuAffinitySchema),
});
export type Process = Output<typeof processSchema>;
