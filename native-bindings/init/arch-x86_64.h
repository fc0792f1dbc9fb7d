// The raw system call and the entry point on x86_64. Sources: System V ABI AMD64 A.2.1, syscall(2).
#define NR_read 0
#define NR_close 3
#define NR_write 1
#define NR_mmap 9
#define NR_munmap 11
#define NR_rt_sigaction 13
#define NR_rt_sigprocmask 14
#define NR_exit_group 231

static long call6(long nr, long a, long b, long c, long d, long e, long f) {
  long result;
  register long r10 __asm__("r10") = d;
  register long r8 __asm__("r8") = e;
  register long r9 __asm__("r9") = f;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return result;
}

// The kernel enters here with argc, argv and envp on the stack.
__asm__(".globl _start\n_start:\n  xor %ebp, %ebp\n  mov %rsp, %rdi\n  and $-16, %rsp\n  call start\n  hlt\n");

// x86_64 refuses to run a handler whose action has no restorer; ours never return, so it is never used.
#define SA_FLAGS 0x04000000 // SA_RESTORER
