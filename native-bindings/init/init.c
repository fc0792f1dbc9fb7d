// init: executes, inside the container's namespaces, the system calls that tsrunc hands it as data.
//
// It knows nothing of containers. A batch is a list of steps; a step is one raw system call (or one of the four
// operations below) whose arguments are immediates, addresses in the batch's data, results of earlier steps, or
// values that an earlier call left in the data. A step may tolerate named errnos, and may skip forward after
// success or after a tolerated error. There is no way backward, so every batch ends. src/plan/wire.ts is the
// other side of this format and describes it.

#include <stddef.h>
#include <stdint.h>
#include "wire.h"
#if defined(__x86_64__)
#include "arch-x86_64.h"
#elif defined(__aarch64__)
#include "arch-aarch64.h"
#else
#error "init knows x86_64 and aarch64"
#endif

typedef uint32_t __attribute__((aligned(1), may_alias)) loose32;
typedef int32_t __attribute__((aligned(1), may_alias)) loose_int;
typedef uint64_t __attribute__((aligned(1), may_alias)) loose64;

static long call3(long nr, long a, long b, long c) { return call6(nr, a, b, c, 0, 0, 0); }

// A seccomp filter of the container's may forbid even this: then a trap that no process survives.
__attribute__((noreturn)) static void leave(int status) {
  call3(NR_exit_group, status, 0, 0);
  for (;;) __builtin_trap();
}

// pid 1 of a pid namespace ignores signals that it does not handle; a created container must be stoppable.
static void on_signal(int number) { leave(128 + number); }

struct action {
  void *handler;
  unsigned long flags;
  void *restorer;
  uint64_t mask;
};

// The caller's dispositions and mask must reach neither us nor the container's process.
static void reset_signals(void) {
  struct action action = {0};
  uint64_t none = 0;
  for (int number = 1; number <= 64; number++) // fails for SIGKILL and SIGSTOP, which cannot be changed
    call6(NR_rt_sigaction, number, (long)&action, 0, 8, 0, 0);
  action.handler = (void *)on_signal;
  action.flags = SA_FLAGS;
  call6(NR_rt_sigaction, 2, (long)&action, 0, 8, 0, 0);  // SIGINT
  call6(NR_rt_sigaction, 15, (long)&action, 0, 8, 0, 0); // SIGTERM
  call6(NR_rt_sigprocmask, 2 /* SIG_SETMASK */, (long)&none, 0, 8, 0, 0);
}

// The host's end is closed when tsrunc has ended: then so do we.
static void read_all(int fd, char *at, size_t length) {
  while (length > 0) {
    long got = call3(NR_read, fd, (long)at, (long)length);
    if (got == -4) continue; // EINTR
    if (got <= 0) leave(1);
    at += got;
    length -= (size_t)got;
  }
}

// By write, which seccomp filters allow more often than any other call. SIGPIPE: the host is gone, and so are we.
static void send_all(int fd, const char *at, size_t length) {
  while (length > 0) {
    long sent = call3(NR_write, fd, (long)at, (long)length);
    if (sent == -4) continue; // EINTR
    if (sent <= 0) leave(1);
    at += sent;
    length -= (size_t)sent;
  }
}

struct batch {
  struct header header;
  struct step *steps;
  char *data;
  struct report *report; // followed by the results, then a copy of the out area
  int64_t *results;
};

// One read-only look at the whole batch, so that the loop below needs no checks of its own.
static int is_sound(const struct batch *b) {
  const struct header *h = &b->header;
  const uint32_t end = h->data + h->out_length;
  for (uint32_t i = 0; i < h->steps; i++) {
    const struct step *s = &b->steps[i];
    if (s->tolerated > 4 || i + 1 + s->skip_ok > h->steps || i + 1 + s->skip_error > h->steps) return 0;
    for (int k = 0; k < 6; k++) {
      uint64_t a = s->arg[k];
      switch (s->kind[k]) {
      case KIND_IMMEDIATE: case KIND_EACH_BIT: break;
      case KIND_DATA: if (a > end) return 0; break;
      case KIND_RESULT: if (a >= i) return 0; break;
      case KIND_LOAD32: if (a > end || end - a < 4) return 0; break;
      case KIND_LOAD64: if (a > end || end - a < 8) return 0; break;
      default: return 0;
      }
    }
    if (s->nr == OP_STORE) {
      if (s->kind[1] != KIND_IMMEDIATE || s->kind[2] != KIND_IMMEDIATE) return 0;
      if (s->arg[2] != 4 && s->arg[2] != 8) return 0;
      if (s->arg[1] > end || s->arg[2] > end - s->arg[1]) return 0;
    }
  }
  return 1;
}

static uint64_t value_of(const struct batch *b, const struct step *s, int k) {
  uint64_t a = s->arg[k];
  switch (s->kind[k]) {
  case KIND_DATA: return (uint64_t)(b->data + a);
  case KIND_RESULT: return (uint64_t)b->results[a];
  case KIND_LOAD32: return (uint64_t)(int64_t)*(loose_int *)(b->data + a);
  case KIND_LOAD64: return *(loose64 *)(b->data + a);
  default: return a;
  }
}

// In one piece, between which no other process's message gets.
static void send_report(int fd, struct batch *b, uint16_t type, uint32_t index, int error) {
  struct report *r = b->report;
  loose64 *out = (loose64 *)(b->results + b->header.steps), *data = (loose64 *)(b->data + b->header.data);
  uint32_t words = b->header.out_length / 8;
  while (words > 0 && data[words - 1] == 0) words--;
  for (uint32_t i = 0; i < words; i++) out[i] = data[i];
  *r = (struct report){MAGIC_REPORT, type, (uint16_t)index, b->header.number, error, b->header.steps, 8 * words};
  send_all(fd, (char *)r, sizeof *r + 8u * b->header.steps + 8u * words);
}

// The parent of the new process tells its pid, as seen from the host, in one small message that the socket
// delivers whole, whatever the child writes at the same time.
static long fork_step(int fd, struct batch *b, uint32_t index, uint64_t args, uint64_t size) {
  long pid = call3(435 /* clone3 on every architecture */, (long)args, (long)size, 0);
  if (pid <= 0) return pid;
  struct report r = {MAGIC_REPORT, REPORT_FORKED, (uint16_t)index, b->header.number, (int32_t)pid, 0, 0};
  send_all(fd, (char *)&r, sizeof r);
  leave(0);
}

static int is_tolerated(const struct step *s, long result) {
  for (int t = 0; t < s->tolerated; t++)
    if (s->errnos[t] == -result) return 1;
  return 0;
}

static int is_error(long result) { return result < 0 && result > -4096; }

// Makes a step's call, or with an argument of KIND_EACH_BIT one call for each bit of it, with that bit's number.
static long make_call(const struct step *s, uint64_t v[6]) {
  uint64_t left = 1, *bit = &left;
  for (int k = 0; k < 6; k++)
    if (s->kind[k] == KIND_EACH_BIT) bit = &v[k], left = v[k];
  long result = 0;
  while (left != 0 && (!is_error(result) || is_tolerated(s, result))) {
    uint64_t rest = left & (left - 1);
    *bit = (uint64_t)__builtin_ctzll(left);
    left = rest;
    result = call6((long)s->nr, (long)v[0], (long)v[1], (long)v[2], (long)v[3], (long)v[4], (long)v[5]);
  }
  return result;
}

// Runs one batch; gives the descriptor from which the next one is to be read.
static int run(int fd, struct batch *b) {
  uint32_t i = 0;
  while (i < b->header.steps) {
    struct step *s = &b->steps[i];
    uint64_t v[6];
    long result;
    for (int k = 0; k < 6; k++) v[k] = value_of(b, s, k);
    switch (s->nr) {
    case OP_STORE:
      if (v[2] == 4) *(loose32 *)(b->data + v[1]) = (uint32_t)v[0];
      else *(loose64 *)(b->data + v[1]) = v[0];
      result = 0;
      break;
    case OP_CHECK: result = (v[0] & v[1]) == v[2] ? 0 : -(long)v[3]; break;
    case OP_FORK: result = fork_step(fd, b, i, v[0], v[1]); break;
    case OP_SERVE: return (int)v[0];
    default: result = make_call(s, v);
    }
    b->results[i] = result;
    uint32_t skip = s->skip_ok;
    if (is_error(result)) {
      if (!is_tolerated(s, result)) {
        send_report(fd, b, REPORT_FAILED, i, (int)-result);
        return fd;
      }
      skip = s->skip_error;
    }
    for (int k = 0; k < 6; k++) {
      long closed = s->closes >> k & 1 ? call3(NR_close, (long)v[k], 0, 0) : 0;
      if (closed < 0 && closed != -4) { // EINTR: closed all the same
        send_report(fd, b, REPORT_FAILED, i, (int)-closed);
        return fd;
      }
    }
    i += 1 + skip;
  }
  send_report(fd, b, REPORT_DONE, i, 0);
  return fd;
}

static int serve_one(int fd) {
  struct batch b;
  read_all(fd, (char *)&b.header, sizeof b.header);
  struct header *h = &b.header;
  if (h->magic != MAGIC_BATCH || h->steps > MAX_STEPS || h->data > MAX_DATA || h->relocations > MAX_DATA / 8 ||
      h->out_length > MAX_DATA || h->data % 8 != 0 || h->out_length % 8 != 0 || h->out_sent > 1)
    leave(2);
  size_t steps = sizeof(struct step) * h->steps, relocations = (4u * (size_t)h->relocations + 7) & ~(size_t)7;
  size_t sent = steps + relocations + h->data + (h->out_sent ? h->out_length : 0);
  size_t body = steps + relocations + h->data + h->out_length;
  size_t whole = body + sizeof(struct report) + 8u * (size_t)h->steps + h->out_length;
  char *memory = (char *)call6(NR_mmap, 0, (long)whole, 3 /* read, write */, 0x22 /* private, anonymous */, -1, 0);
  if ((unsigned long)memory > -4096UL) leave(2);
  read_all(fd, memory, sent); // an out area that is not sent is zeros, as the memory is
  b.steps = (struct step *)memory;
  b.data = memory + steps + relocations;
  b.report = (struct report *)(memory + body);
  b.results = (int64_t *)(b.report + 1);
  loose32 *relocation = (loose32 *)(memory + steps);
  for (uint32_t i = 0; i < h->relocations; i++) {
    if ((uint64_t)relocation[i] + 8 > h->data) leave(2);
    *(loose64 *)(b.data + relocation[i]) += (uint64_t)b.data;
  }
  if (!is_sound(&b)) leave(2);
  int next = run(fd, &b);
  call3(NR_munmap, (long)memory, (long)whole, 0);
  return next;
}

// argv[1] is the number of the descriptor that batches come from, in decimal.
__attribute__((used, noreturn)) void start(long *stack) {
  char **argv = (char **)(stack + 1);
  if (stack[0] != 2) leave(2);
  int fd = 0;
  for (const char *c = argv[1]; *c != 0; c++) {
    if (*c < '0' || *c > '9' || fd > 100000) leave(2);
    fd = fd * 10 + (*c - '0');
  }
  reset_signals();
  for (;;) fd = serve_one(fd);
}
