// config-linux.md "Seccomp".
import * as z from "zod/mini";
import {
  choice,
  maybeText,
  maybeUint32,
  maybeUint64,
  type Output,
  once,
  range,
  strings,
  uint64,
} from "./scalars.ts";

/** libseccomp's names, as of version 2.6.0. */
export const SECCOMP_ARCHITECTURES = [
  "SCMP_ARCH_X86",
  "SCMP_ARCH_X86_64",
  "SCMP_ARCH_X32",
  "SCMP_ARCH_ARM",
  "SCMP_ARCH_AARCH64",
  "SCMP_ARCH_MIPS",
  "SCMP_ARCH_MIPS64",
  "SCMP_ARCH_MIPS64N32",
  "SCMP_ARCH_MIPSEL",
  "SCMP_ARCH_MIPSEL64",
  "SCMP_ARCH_MIPSEL64N32",
  "SCMP_ARCH_PPC",
  "SCMP_ARCH_PPC64",
  "SCMP_ARCH_PPC64LE",
  "SCMP_ARCH_S390",
  "SCMP_ARCH_S390X",
  "SCMP_ARCH_PARISC",
  "SCMP_ARCH_PARISC64",
  "SCMP_ARCH_RISCV64",
  "SCMP_ARCH_LOONGARCH64",
  "SCMP_ARCH_M68K",
  "SCMP_ARCH_SH",
  "SCMP_ARCH_SHEB",
] as const;

export const SECCOMP_ACTIONS = [
  "SCMP_ACT_KILL",
  "SCMP_ACT_KILL_PROCESS",
  "SCMP_ACT_KILL_THREAD",
  "SCMP_ACT_TRAP",
  "SCMP_ACT_ERRNO",
  "SCMP_ACT_TRACE",
  "SCMP_ACT_ALLOW",
  "SCMP_ACT_LOG",
  "SCMP_ACT_NOTIFY",
] as const;

export const SECCOMP_OPERATORS = [
  "SCMP_CMP_NE",
  "SCMP_CMP_LT",
  "SCMP_CMP_LE",
  "SCMP_CMP_EQ",
  "SCMP_CMP_GE",
  "SCMP_CMP_GT",
  "SCMP_CMP_MASKED_EQ",
] as const;

/** seccomp(2). */
export const SECCOMP_FLAGS = [
  "SECCOMP_FILTER_FLAG_TSYNC",
  "SECCOMP_FILTER_FLAG_LOG",
  "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
  "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV",
] as const;

const action = once(() => choice(SECCOMP_ACTIONS));

const argumentSchema = once(() =>
  z.object({
    /** Which argument of the system call. */
    index: range(0, 5),
    value: uint64,
    /** The second operand of SCMP_CMP_MASKED_EQ. */
    valueTwo: maybeUint64,
    op: choice(SECCOMP_OPERATORS),
  }),
);
export type SeccompArgument = Output<ReturnType<typeof argumentSchema>>;

const syscallSchema = once(() =>
  z.object({
    names: strings,
    action: action(),
    errnoRet: maybeUint32,
    args: z.optional(z.array(argumentSchema())),
  }),
);
export type SeccompSyscall = Output<ReturnType<typeof syscallSchema>>;

export const seccompSchema = once(() =>
  z.object({
    defaultAction: action(),
    defaultErrnoRet: maybeUint32,
    architectures: z.optional(z.array(choice(SECCOMP_ARCHITECTURES))),
    flags: z.optional(z.array(choice(SECCOMP_FLAGS))),
    listenerPath: maybeText,
    listenerMetadata: maybeText,
    syscalls: z.optional(z.array(syscallSchema())),
  }),
);
export type Seccomp = Output<ReturnType<typeof seccompSchema>>;
