// The kernel's and libseccomp's constants of system call filters. Sources: include/uapi/linux/seccomp.h, audit.h and
// elf-em.h of the kernel, seccomp.h of libseccomp.

const SIXTY_FOUR_BIT = 0x8000_0000;
const LITTLE_ENDIAN = 0x4000_0000;
const N32 = 0x2000_0000;

/**
 * libseccomp's tokens. All but X32's are the kernel's AUDIT_ARCH_ constants (an ELF machine number and flags), which a
 * filter finds in seccomp_data.arch.
 */
export const SCMP_ARCH = {
  SCMP_ARCH_X86: 3 + LITTLE_ENDIAN,
  SCMP_ARCH_X86_64: 62 + SIXTY_FOUR_BIT + LITTLE_ENDIAN,
  SCMP_ARCH_X32: 62 + LITTLE_ENDIAN,
  SCMP_ARCH_ARM: 40 + LITTLE_ENDIAN,
  SCMP_ARCH_AARCH64: 183 + SIXTY_FOUR_BIT + LITTLE_ENDIAN,
  SCMP_ARCH_MIPS: 8,
  SCMP_ARCH_MIPS64: 8 + SIXTY_FOUR_BIT,
  SCMP_ARCH_MIPS64N32: 8 + SIXTY_FOUR_BIT + N32,
  SCMP_ARCH_MIPSEL: 8 + LITTLE_ENDIAN,
  SCMP_ARCH_MIPSEL64: 8 + SIXTY_FOUR_BIT + LITTLE_ENDIAN,
  SCMP_ARCH_MIPSEL64N32: 8 + SIXTY_FOUR_BIT + LITTLE_ENDIAN + N32,
  SCMP_ARCH_PPC: 20,
  SCMP_ARCH_PPC64: 21 + SIXTY_FOUR_BIT,
  SCMP_ARCH_PPC64LE: 21 + SIXTY_FOUR_BIT + LITTLE_ENDIAN,
  SCMP_ARCH_S390: 22,
  SCMP_ARCH_S390X: 22 + SIXTY_FOUR_BIT,
  SCMP_ARCH_PARISC: 15,
  SCMP_ARCH_PARISC64: 15 + SIXTY_FOUR_BIT,
  SCMP_ARCH_RISCV64: 243 + SIXTY_FOUR_BIT + LITTLE_ENDIAN,
  SCMP_ARCH_LOONGARCH64: 258 + SIXTY_FOUR_BIT + LITTLE_ENDIAN,
  SCMP_ARCH_M68K: 4,
  SCMP_ARCH_SH: 42 + LITTLE_ENDIAN,
  SCMP_ARCH_SHEB: 42,
} as const;
export type ScmpArchName = keyof typeof SCMP_ARCH;

/** Set in the numbers of x32's system calls, which share AUDIT_ARCH_X86_64 (__X32_SYSCALL_BIT). */
export const X32_SYSCALL_BIT = 0x4000_0000;

/** What a filter returns: the action in the high half, its data in the low one (SECCOMP_RET_ constants). */
export const SCMP_ACT = {
  SCMP_ACT_KILL: 0,
  SCMP_ACT_KILL_THREAD: 0,
  SCMP_ACT_KILL_PROCESS: 0x8000_0000,
  SCMP_ACT_TRAP: 0x0003_0000,
  SCMP_ACT_ERRNO: 0x0005_0000,
  SCMP_ACT_NOTIFY: 0x7fc0_0000,
  SCMP_ACT_TRACE: 0x7ff0_0000,
  SCMP_ACT_LOG: 0x7ffc_0000,
  SCMP_ACT_ALLOW: 0x7fff_0000,
} as const;
export type ScmpActionName = keyof typeof SCMP_ACT;

/** enum scmp_compare. */
export const SCMP_CMP = {
  SCMP_CMP_NE: 1,
  SCMP_CMP_LT: 2,
  SCMP_CMP_LE: 3,
  SCMP_CMP_EQ: 4,
  SCMP_CMP_GE: 5,
  SCMP_CMP_GT: 6,
  SCMP_CMP_MASKED_EQ: 7,
} as const;
export type ScmpOperatorName = keyof typeof SCMP_CMP;

/** Flags of seccomp(2), SECCOMP_SET_MODE_FILTER. */
export const SECCOMP_FILTER_FLAG = {
  SECCOMP_FILTER_FLAG_TSYNC: 1,
  SECCOMP_FILTER_FLAG_LOG: 2,
  SECCOMP_FILTER_FLAG_SPEC_ALLOW: 4,
  SECCOMP_FILTER_FLAG_NEW_LISTENER: 8,
  SECCOMP_FILTER_FLAG_TSYNC_ESRCH: 16,
  SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV: 32, // Linux 5.19
} as const;

export const SECCOMP_SET_MODE_FILTER = 1;

/** Size of struct sock_filter; instructions that the kernel takes in one program (BPF_MAXINSNS). */
export const SOCK_FILTER_SIZE = 8;
export const MAX_INSTRUCTIONS = 4096;
