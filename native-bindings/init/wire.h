// The format of batches and reports, which src/plan/wire.ts and src/plan/report.ts describe.
#pragma once
#include <stdint.h>

#define MAGIC_BATCH 0x42525354u  // "TSRB"
#define MAGIC_REPORT 0x52525354u // "TSRR"
#define MAX_STEPS 16384u // a report has 16 bits for the index of a step
#define MAX_DATA (64u << 20)

enum { KIND_IMMEDIATE, KIND_DATA, KIND_RESULT, KIND_LOAD32, KIND_LOAD64, KIND_EACH_BIT };
enum { REPORT_DONE, REPORT_FAILED, REPORT_FORKED };

// Operations that are not system calls have numbers that no architecture uses for one.
#define OP_STORE 0xffff0001u // (value, offset, width): write a value, such as an earlier result, into the data
#define OP_CHECK 0xffff0002u // (value, mask, wanted, errno): fail with errno unless (value & mask) == wanted
#define OP_FORK 0xffff0003u  // (clone_args, size): clone3; the parent reports the child's pid and ends
#define OP_SERVE 0xffff0004u // (fd): take further batches from this descriptor; this batch gives no report

struct header {
  uint32_t magic, steps, relocations, data, out_length, out_sent, number, reserved;
};
struct step {
  uint32_t nr;
  uint8_t kind[6];
  uint8_t tolerated, closes;
  uint16_t skip_ok, skip_error;
  uint16_t errnos[4];
  uint64_t arg[6];
};
struct report {
  uint32_t magic;
  uint16_t type, index;
  uint32_t batch;
  int32_t error;
  uint32_t results, out_length;
};
_Static_assert(sizeof(struct header) == 32 && sizeof(struct step) == 72 && sizeof(struct report) == 24, "wire");
