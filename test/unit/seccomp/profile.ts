// What a profile means, said once more and in another way than libseccomp says it; and numbers of system calls that do
// not come from libseccomp either.
import { SCMP_ACT, SCMP_ARCH } from "../../../src/linux/seccomp.ts";
import type { Seccomp, SeccompArgument, SeccompSyscall } from "../../../src/spec/config.ts";

/** AUDIT_ARCH_ constants: what the kernel says. x32 is x86_64 with a bit in the number. */
export const MACHINES = {
  x86_64: { arch: 0xc000003e, wide: true, token: SCMP_ARCH.SCMP_ARCH_X86_64 },
  // libseccomp looks at the low half of its arguments: programs of this kind have pointers of 32 bits.
  x32: { arch: 0xc000003e, wide: false, token: SCMP_ARCH.SCMP_ARCH_X32 },
  i386: { arch: 0x40000003, wide: false, token: SCMP_ARCH.SCMP_ARCH_X86 },
  aarch64: { arch: 0xc00000b7, wide: true, token: SCMP_ARCH.SCMP_ARCH_AARCH64 },
} as const;
export type Machine = keyof typeof MACHINES;

const X32 = 0x4000_0000;

/** From the kernel's syscall_64.tbl, syscall_32.tbl and asm-generic/unistd.h. */
export const NUMBERS: Readonly<Record<Machine, Readonly<Record<string, number>>>> = {
  x86_64: {
    read: 0,
    write: 1,
    open: 2,
    mmap: 9,
    ioctl: 16,
    getpid: 39,
    socket: 41,
    clone: 56,
    execve: 59,
    mkdir: 83,
    ptrace: 101,
    personality: 135,
    pivot_root: 155,
    chroot: 161,
    mount: 165,
    swapon: 167,
    reboot: 169,
    init_module: 175,
    keyctl: 250,
    unshare: 272,
    perf_event_open: 298,
    setns: 308,
    process_vm_readv: 310,
    bpf: 321,
    userfaultfd: 323,
    io_uring_setup: 425,
    clone3: 435,
    landlock_restrict_self: 446,
    cachestat: 451,
    map_shadow_stack: 453,
    futex_requeue: 456,
  },
  x32: {
    read: X32,
    write: X32 + 1,
    open: X32 + 2,
    mmap: X32 + 9,
    getpid: X32 + 39,
    socket: X32 + 41,
    clone: X32 + 56,
    mkdir: X32 + 83,
    personality: X32 + 135,
    chroot: X32 + 161,
    mount: X32 + 165,
    keyctl: X32 + 250,
    unshare: X32 + 272,
    bpf: X32 + 321,
    clone3: X32 + 435,
    ioctl: X32 + 514,
    execve: X32 + 520,
    ptrace: X32 + 521,
    process_vm_readv: X32 + 539,
  },
  i386: {
    read: 3,
    write: 4,
    open: 5,
    execve: 11,
    getpid: 20,
    mount: 21,
    ptrace: 26,
    mkdir: 39,
    ioctl: 54,
    chroot: 61,
    swapon: 87,
    reboot: 88,
    mmap: 90,
    clone: 120,
    init_module: 128,
    personality: 136,
    keyctl: 288,
    unshare: 310,
    process_vm_readv: 347,
    bpf: 357,
    socket: 359,
    clone3: 435,
  },
  aarch64: {
    ioctl: 29,
    mkdirat: 34,
    mount: 40,
    chroot: 51,
    read: 63,
    write: 64,
    personality: 92,
    unshare: 97,
    ptrace: 117,
    getpid: 172,
    socket: 198,
    keyctl: 219,
    clone: 220,
    execve: 221,
    mmap: 222,
    process_vm_readv: 270,
    bpf: 280,
    clone3: 435,
  },
};

/** What the process gets for a call. A profile may name a call in several rules: of those without args the first counts. */
export function expectedAction(
  profile: Seccomp,
  machine: Machine,
  name: string,
  args: readonly bigint[],
): number {
  const rules = (profile.syscalls ?? []).filter(({ names }) => names.includes(name));
  const plain = rules.find((rule) => (rule.args ?? []).length === 0);
  if (plain) return actionOf(plain);
  const { wide } = MACHINES[machine];
  const matched = rules.find((rule) => matches(rule, args, wide));
  return matched ? actionOf(matched) : defaultOf(profile);
}

export function defaultOf({ defaultAction, defaultErrnoRet }: Seccomp): number {
  return encode(defaultAction, defaultErrnoRet);
}

function actionOf({ action, errnoRet }: SeccompSyscall): number {
  return encode(action, errnoRet);
}

function encode(action: keyof typeof SCMP_ACT, errno: number | undefined): number {
  const hasData = action === "SCMP_ACT_ERRNO" || action === "SCMP_ACT_TRACE";
  return (SCMP_ACT[action] | (hasData ? (errno ?? 1) : 0)) >>> 0;
}

function matches({ args = [] }: SeccompSyscall, actual: readonly bigint[], wide: boolean): boolean {
  const results = args.map((argument) => compare(argument, actual[argument.index] ?? 0n, wide));
  // runc's rule: two conditions on one argument are alternatives.
  const isRepeated = new Set(args.map(({ index }) => index)).size < args.length;
  return isRepeated ? results.some(Boolean) : results.every(Boolean);
}

/** A process of 32 bits has arguments of 32 bits. */
function compare({ op, value, valueTwo = 0n }: SeccompArgument, actual: bigint, wide: boolean): boolean {
  const cut = (number: bigint): bigint => BigInt.asUintN(wide ? 64 : 32, number);
  const [a, v, second] = [cut(actual), cut(value), cut(valueTwo)];
  switch (op) {
    case "SCMP_CMP_NE":
      return a !== v;
    case "SCMP_CMP_LT":
      return a < v;
    case "SCMP_CMP_LE":
      return a <= v;
    case "SCMP_CMP_EQ":
      return a === v;
    case "SCMP_CMP_GE":
      return a >= v;
    case "SCMP_CMP_GT":
      return a > v;
    case "SCMP_CMP_MASKED_EQ":
      return (a & v) === second;
  }
}
