// config-linux.md "Seccomp".
import * as z from "zod/mini";
import { SECCOMP_ACTIONS, SECCOMP_ARCHITECTURES, SECCOMP_FLAGS, SECCOMP_OPERATORS } from "./names.ts";
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
