// Compiles seccomp profiles with libseccomp, and keeps the programs.
import { fstatSync, readFileSync, readSync } from "node:fs";
import { join } from "node:path";
import { loadLibc } from "../../native-bindings/libc.ts";
import { type FilterContext, type Libseccomp, loadLibseccomp } from "../../native-bindings/libseccomp.ts";
import {
  describeFilter,
  describeInstallation,
  type FilterCondition,
  type FilterRequest,
  type SeccompFilter,
} from "../compile/seccomp.ts";
import { prependStub } from "../compile/seccomp-stub.ts";
import type { Context } from "../context.ts";
import { messageOf, SyscallError, TsruncError } from "../errors.ts";
import {
  MAX_INSTRUCTIONS,
  SCMP_ARCH,
  SECCOMP_FILTER_FLAG,
  SECCOMP_SET_MODE_FILTER,
  SOCK_FILTER_SIZE,
} from "../linux/seccomp.ts";
import type { Architecture } from "../linux/syscalls.ts";
import type { Seccomp } from "../spec/config.ts";
import { closeFd } from "./fd.ts";
import { findProgram, keepProgram } from "./filter-cache.ts";

/** Not the name of a container: no id has an `@`. */
const CACHE_NAME = "@seccomp";

/** A version of libseccomp that can tell an agent (SCMP_ACT_NOTIFY) and order a filter as a tree. */
const OLDEST = [2, 5] as const;

const SCMP_FLTATR_CTL_OPTIMIZE = 8;
const BINARY_TREE = 2;
const NR_SCMP_ERROR = -1; // __NR_SCMP_ERROR
const MFD_CLOEXEC = 1;
const EEXIST = 17;
const EFAULT = 14;

/**
 * The filter of a profile. It is compiled only if the containers' root has no program for the same profile yet.
 * Throws TsruncError: a flag that this kernel lacks; no libseccomp; something in the profile that it refuses.
 */
export function loadFilter(ctx: Context, seccomp: Seccomp, arch: Architecture): SeccompFilter {
  for (const [i, flag] of (seccomp.flags ?? []).entries()) {
    if (!isFlagSupported(ctx, flag))
      throw new TsruncError(`linux.seccomp.flags[${i}]: ${flag} is not supported by this kernel`);
  }
  const cache = { ctx, dir: join(ctx.root, CACHE_NAME), key: printSource(seccomp, arch) };
  const known = findProgram(cache);
  if (known) return describeInstallation(seccomp, known);
  const program = compileFilter(ctx, describeFilter(seccomp, arch));
  keepProgram(cache, program, findLibrary());
  return describeInstallation(seccomp, program);
}

/** Throws TsruncError for names that libseccomp does not know, which a filter leaves out. */
export function checkSyscallNames(ctx: Pick<Context, "installDir">, { syscalls = [] }: Seccomp): void {
  const library = openLibrary(ctx);
  for (const [i, { names }] of syscalls.entries())
    for (const name of names)
      if (library.seccomp_syscall_resolve_name(name) === NR_SCMP_ERROR)
        throw new TsruncError(
          `linux.seccomp.syscalls[${i}].names: unknown system call ${JSON.stringify(name)}`,
        );
}

/** Everything of a profile that its program depends on. */
function printSource(seccomp: Seccomp, arch: Architecture): string {
  const { defaultAction, defaultErrnoRet, architectures, syscalls } = seccomp;
  return JSON.stringify({ arch, defaultAction, defaultErrnoRet, architectures, syscalls }, (_, value) =>
    typeof value === "bigint" ? String(value) : value,
  );
}

/** A flag that the kernel knows makes it look at the filter's address, which is bad; another one is EINVAL. */
export function isFlagSupported(
  ctx: Pick<Context, "installDir">,
  name: NonNullable<Seccomp["flags"]>[number],
): boolean {
  const libc = loadLibc(ctx.installDir);
  const listener = SECCOMP_FILTER_FLAG.SECCOMP_FILTER_FLAG_NEW_LISTENER;
  const needsListener = name === "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV";
  const flags = SECCOMP_FILTER_FLAG[name] | (needsListener ? listener : 0);
  return libc.seccomp(SECCOMP_SET_MODE_FILTER, flags, null) < 0 && libc.errno() === EFAULT;
}

/** Path of the libseccomp that is loaded. */
function findLibrary(): string | undefined {
  return /\/\S*\/libseccomp\.so\.\S+$/m.exec(readFileSync("/proc/self/maps", "utf8"))?.[0];
}

/** Throws TsruncError: it is not installed, or too old. */
export function openLibrary(ctx: Pick<Context, "installDir">): Libseccomp {
  let library: Libseccomp;
  try {
    library = loadLibseccomp(ctx.installDir);
  } catch (error) {
    throw new TsruncError(
      `linux.seccomp: a profile takes libseccomp (Debian's package libseccomp2): ${messageOf(error)}`,
    );
  }
  const [major, minor] = library.version;
  if (major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1]))
    throw new TsruncError(
      `linux.seccomp: a profile takes libseccomp ${OLDEST.join(".")} or later, and this is ${major}.${minor}`,
    );
  return library;
}

/** Compiles a profile: struct sock_filter, one after the other. Throws TsruncError. */
export function compileFilter(ctx: Pick<Context, "installDir">, request: FilterRequest): Uint8Array {
  const library = openLibrary(ctx);
  const context = library.seccomp_init(request.defaultAction);
  if (context === null)
    throw new TsruncError(
      `linux.seccomp.defaultAction: seccomp_init(${printHex(request.defaultAction)}): not taken by this kernel`,
    );
  let program: Uint8Array;
  try {
    addArchitectures(library, context, request);
    if (request.isTree) library.seccomp_attr_set(context, SCMP_FLTATR_CTL_OPTIMIZE, BINARY_TREE);
    addRules(library, context, request);
    program = exportProgram(ctx, library, context);
  } finally {
    library.seccomp_release(context);
  }
  if (request.known) program = prependStub(program, findLastNumbers(library, request, request.known));
  const count = program.length / SOCK_FILTER_SIZE;
  if (count > MAX_INSTRUCTIONS)
    throw new TsruncError(
      `linux.seccomp: the filter has ${count} instructions, and the kernel takes ${MAX_INSTRUCTIONS}`,
    );
  return program;
}

function addArchitectures(library: Libseccomp, context: FilterContext, request: FilterRequest): void {
  for (const token of request.architectures) {
    const result = library.seccomp_arch_add(context, token);
    if (result >= 0 || result === -EEXIST) continue;
    const name = Object.entries(SCMP_ARCH).find(([, value]) => value === token)?.[0] ?? printHex(token);
    throw new SyscallError("linux.seccomp.architectures", `seccomp_arch_add(${name})`, -result);
  }
}

/** A name that libseccomp does not know belongs to a newer kernel, or to none: the rule is left out, as in runc. */
function addRules(library: Libseccomp, context: FilterContext, request: FilterRequest): void {
  const numbers = new Map<string, number>();
  for (const { name, action, conditions } of request.rules) {
    const number = numbers.get(name) ?? library.seccomp_syscall_resolve_name(name);
    numbers.set(name, number);
    if (number === NR_SCMP_ERROR) continue;
    const comparisons = conditions.length === 0 ? null : encodeConditions(conditions);
    const result = library.seccomp_rule_add_array(context, action, number, conditions.length, comparisons);
    if (result < 0)
      throw new SyscallError(
        `linux.seccomp.syscalls: rule for ${JSON.stringify(name)}`,
        `seccomp_rule_add_array(${printHex(action)}, ${number}, ${conditions.length} conditions)`,
        -result,
      );
  }
}

/** struct scmp_arg_cmp: argument, operator (4 bytes each), two operands (8 bytes each). */
function encodeConditions(conditions: readonly FilterCondition[]): Uint8Array {
  const bytes = new Uint8Array(24 * conditions.length);
  const view = new DataView(bytes.buffer);
  for (const [i, { index, operator, value, second }] of conditions.entries()) {
    view.setUint32(24 * i, index, true);
    view.setUint32(24 * i + 4, operator, true);
    view.setBigUint64(24 * i + 8, value, true);
    view.setBigUint64(24 * i + 16, second, true);
  }
  return bytes;
}

/** seccomp_export_bpf writes to a descriptor; only libseccomp 2.6 can write to memory. */
function exportProgram(
  ctx: Pick<Context, "installDir">,
  library: Libseccomp,
  context: FilterContext,
): Uint8Array {
  const libc = loadLibc(ctx.installDir);
  const intent = "linux.seccomp: export the filter";
  const fd = libc.memfd_create("seccomp", MFD_CLOEXEC);
  if (fd < 0) throw new SyscallError(intent, 'memfd_create("seccomp")', libc.errno());
  try {
    const result = library.seccomp_export_bpf(context, fd);
    if (result < 0) throw new SyscallError(intent, "seccomp_export_bpf(memfd)", -result);
    const program = new Uint8Array(fstatSync(fd).size);
    const length = readSync(fd, program, 0, program.length, 0);
    if (length !== program.length || length === 0 || length % SOCK_FILTER_SIZE !== 0)
      throw new TsruncError(`${intent}: ${length} of ${program.length} bytes are no program`);
    return program;
  } finally {
    closeFd(libc, fd);
  }
}

/**
 * The highest number among the system calls that the profile names, for each architecture that it has any of; the
 * native one, which is always in a filter, first.
 */
function findLastNumbers(
  library: Libseccomp,
  { native, architectures }: FilterRequest,
  names: readonly string[],
): ReadonlyMap<number, number> {
  const last = new Map<number, number>();
  for (const token of new Set([native, ...architectures])) {
    const numbers = names.map((name) => library.seccomp_syscall_resolve_name_arch(token, name));
    const highest = numbers.reduce((high, number) => Math.max(high, number), 0);
    if (highest > 0) last.set(token, highest);
  }
  return last;
}

function printHex(value: number): string {
  return `0x${value.toString(16)}`;
}
