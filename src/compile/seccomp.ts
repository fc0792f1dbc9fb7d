// linux.seccomp ("Seccomp" in config-linux.md): what libseccomp is asked for, and the steps that install its filter.
import { errnoNumber } from "../linux/errno.ts";
import {
  SCMP_ACT,
  SCMP_ARCH,
  SCMP_CMP,
  type ScmpActionName,
  SECCOMP_FILTER_FLAG,
  SECCOMP_SET_MODE_FILTER,
  SOCK_FILTER_SIZE,
} from "../linux/seccomp.ts";
import type { Architecture } from "../linux/syscalls.ts";
import { flags, type PlanBuilder, struct, u32, u64 } from "../plan/build.ts";
import type { NumberArg } from "../plan/step.ts";
import type { Seccomp, SeccompArgument, SeccompSyscall } from "../spec/config.ts";
import { handOverListener, type ListenerHelper } from "./seccomp-listener.ts";

/** One comparison of an argument: struct scmp_arg_cmp. */
export interface FilterCondition {
  readonly index: number;
  readonly operator: number;
  readonly value: bigint;
  /** Second operand of SCMP_CMP_MASKED_EQ. */
  readonly second: bigint;
}

/** One system call by its name; all conditions must hold. */
export interface FilterRule {
  readonly name: string;
  readonly action: number;
  readonly conditions: readonly FilterCondition[];
}

/** A profile as libseccomp takes it. */
export interface FilterRequest {
  readonly defaultAction: number;
  /** Tokens of the architectures beside the native one, which libseccomp always has in a filter. */
  readonly architectures: readonly number[];
  readonly native: number;
  readonly rules: readonly FilterRule[];
  /** Order the filter as a binary tree. */
  readonly isTree: boolean;
  /** Names of all system calls that the profile knows, if newer ones are to give ENOSYS; see seccomp-stub.ts. */
  readonly known: readonly string[] | undefined;
}

/** Rules from which on runc asks for a binary tree; with few of them (none above all) libseccomp 2.5 fails at it. */
const TREE_FROM = 33;

const NATIVE = { x86_64: SCMP_ARCH.SCMP_ARCH_X86_64, aarch64: SCMP_ARCH.SCMP_ARCH_AARCH64 } as const;

/**
 * Translates a profile. As in runc: a rule that does what the default action does is left out, and conditions of
 * which two are on the same argument are alternatives instead of a conjunction.
 */
export function describeFilter(seccomp: Seccomp, arch: Architecture): FilterRequest {
  const defaultAction = encodeAction(seccomp.defaultAction, seccomp.defaultErrnoRet);
  const syscalls = seccomp.syscalls ?? [];
  const names = syscalls.flatMap((syscall) => syscall.names);
  return {
    defaultAction,
    architectures: (seccomp.architectures ?? []).map((name) => SCMP_ARCH[name]),
    native: NATIVE[arch],
    rules: syscalls.flatMap((syscall) => describeRules(syscall, defaultAction)),
    isTree: names.length >= TREE_FROM,
    known: hidesNewSyscalls(seccomp.defaultAction, defaultAction) ? [...new Set(names)] : undefined,
  };
}

/**
 * A program that probes for a system call takes ENOSYS for an old kernel; EPERM, or death, breaks it. An agent that
 * traces answers for itself.
 */
function hidesNewSyscalls(name: ScmpActionName, action: number): boolean {
  if (name === "SCMP_ACT_ALLOW" || name === "SCMP_ACT_LOG" || name === "SCMP_ACT_TRACE") return false;
  return action !== SCMP_ACT.SCMP_ACT_ERRNO + errnoNumber("ENOSYS");
}

function describeRules(syscall: SeccompSyscall, defaultAction: number): readonly FilterRule[] {
  const action = encodeAction(syscall.action, syscall.errnoRet);
  if (action === defaultAction) return [];
  const conditions = (syscall.args ?? []).map(describeCondition);
  const indexes = new Set(conditions.map(({ index }) => index));
  const isAlternative = indexes.size < conditions.length;
  return syscall.names.flatMap((name): FilterRule[] =>
    isAlternative
      ? conditions.map((condition) => ({ name, action, conditions: [condition] }))
      : [{ name, action, conditions }],
  );
}

function describeCondition({ index, op, value, valueTwo }: SeccompArgument): FilterCondition {
  return { index, operator: SCMP_CMP[op], value, second: valueTwo ?? 0n };
}

function encodeAction(name: ScmpActionName, errnoRet: number | undefined): number {
  const takesData = name === "SCMP_ACT_ERRNO" || name === "SCMP_ACT_TRACE";
  return SCMP_ACT[name] + (takesData ? (errnoRet ?? errnoNumber("EPERM")) : 0);
}

type FlagName = keyof typeof SECCOMP_FILTER_FLAG;

/** A filter that can be installed. */
export interface SeccompFilter {
  /** struct sock_filter, one after the other. */
  readonly program: Uint8Array;
  readonly flags: readonly FlagName[];
  /** Some system calls are answered by the agent at listenerPath. */
  readonly hasListener: boolean;
}

/**
 * A compiled profile with its flags. Without the member `flags` a profile means SPEC_ALLOW, as in runc: the
 * mitigation that it switches off costs much and is the process's own to ask for.
 */
export function describeInstallation(seccomp: Seccomp, program: Uint8Array): SeccompFilter {
  const hasListener = notifies(seccomp);
  const names = new Set<FlagName>(seccomp.flags ?? ["SECCOMP_FILTER_FLAG_SPEC_ALLOW"]);
  if (hasListener) names.add("SECCOMP_FILTER_FLAG_NEW_LISTENER");
  return { program, flags: [...names], hasListener };
}

/** Whether an agent answers some system call. */
export function notifies({ syscalls = [] }: Seccomp): boolean {
  return syscalls.some(({ action }) => action === "SCMP_ACT_NOTIFY");
}

/** The same filter for a process that has no agent: what an agent would answer fails with ENOSYS. */
export function withoutListener(filter: SeccompFilter): SeccompFilter {
  const flags = filter.flags.filter(
    (name) =>
      name !== "SECCOMP_FILTER_FLAG_NEW_LISTENER" && name !== "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV",
  );
  return { ...filter, flags, hasListener: false };
}

/**
 * Installs a filter on init, for the process that init becomes. Under it nothing may be called any more but what runc
 * calls too. The helper is for a filter with a listener, which the agent has got afterwards.
 */
export function installFilter(p: PlanBuilder, filter: SeccompFilter, helper?: ListenerHelper): void {
  p.at("linux.seccomp", "install the seccomp filter", () => {
    const count = filter.program.length / SOCK_FILTER_SIZE;
    const text = `<${count} instructions>`;
    const listener = p.call(
      "seccomp",
      [
        { kind: "number", value: SECCOMP_SET_MODE_FILTER, text: "SECCOMP_SET_MODE_FILTER" },
        encodeFlags(filter),
        struct(
          { name: "len", width: 2, value: count },
          { name: "", width: 2, value: 0 },
          u32("", 0),
          u64("filter", { kind: "bytes", value: filter.program, text }),
        ),
      ],
      { name: "listener" },
    );
    if (helper) handOverListener(p, listener, helper);
  });
}

/** A listener and TSYNC both return a number: the kernel takes them together only with TSYNC_ESRCH. */
function encodeFlags({ flags: names, hasListener }: SeccompFilter): NumberArg {
  const isBoth = hasListener && names.includes("SECCOMP_FILTER_FLAG_TSYNC");
  return flags(
    SECCOMP_FILTER_FLAG,
    ...names,
    ...(isBoth ? (["SECCOMP_FILTER_FLAG_TSYNC_ESRCH"] as const) : []),
  );
}
