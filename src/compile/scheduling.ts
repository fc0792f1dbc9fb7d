// Scheduling, memory policy and execution domain of the process, set while init still has the privilege to do so.
import { type PlanBuilder, struct, u32, u64 } from "../plan/build.ts";
import type { NumberArg } from "../plan/step.ts";
import type { Config, Process } from "../spec/config.ts";
import { setMemoryPolicy } from "./memory-policy.ts";

// Sources: sched(7), sched_setattr(2), ioprio_set(2), personality(2).
const POLICIES: Readonly<Record<string, number>> = {
  SCHED_OTHER: 0,
  SCHED_FIFO: 1,
  SCHED_RR: 2,
  SCHED_BATCH: 3,
  SCHED_ISO: 4,
  SCHED_IDLE: 5,
  SCHED_DEADLINE: 6,
};
const FLAGS: Readonly<Record<string, number>> = {
  SCHED_FLAG_RESET_ON_FORK: 0x01,
  SCHED_FLAG_RECLAIM: 0x02,
  SCHED_FLAG_DL_OVERRUN: 0x04,
  SCHED_FLAG_KEEP_POLICY: 0x08,
  SCHED_FLAG_KEEP_PARAMS: 0x10,
  SCHED_FLAG_UTIL_CLAMP_MIN: 0x20,
  SCHED_FLAG_UTIL_CLAMP_MAX: 0x40,
};
const IO_CLASSES = { IOPRIO_CLASS_RT: 1, IOPRIO_CLASS_BE: 2, IOPRIO_CLASS_IDLE: 3 } as const;
const IOPRIO_WHO_PROCESS: NumberArg = { kind: "number", value: 1, text: "IOPRIO_WHO_PROCESS" };
const PRIO_PROCESS: NumberArg = { kind: "number", value: 0, text: "PRIO_PROCESS" };
const CPU_SET_BYTES = 128; // cpu_set_t: 1024 CPUs

/**
 * A new container starts on all CPUs that its cgroup has, and with an ordinary nice value, whatever its manager
 * was restricted to.
 */
export function resetScheduling(p: PlanBuilder): void {
  p.at("", "reset the CPU affinity and the nice value", () => {
    const all = {
      kind: "bytes",
      value: new Uint8Array(CPU_SET_BYTES).fill(0xff),
      text: "[all CPUs]",
    } as const;
    p.call("sched_setaffinity", [0, CPU_SET_BYTES, all], { tolerate: ["EINVAL", "EPERM"] });
    p.call("setpriority", [PRIO_PROCESS, 0, 0], { tolerate: ["EACCES", "EPERM"] });
  });
}

/** Restricts init, and so the process, to a list of CPUs such as `0-3,7` (process.execCPUAffinity). */
export function setAffinity(p: PlanBuilder, path: string, list: string): void {
  const set = new Uint8Array(CPU_SET_BYTES);
  for (const part of list.split(",")) {
    const [first, last] = part.trim().split("-");
    for (let cpu = Number(first); cpu <= Number(last ?? first) && cpu < 8 * CPU_SET_BYTES; cpu++)
      set[cpu >> 3] = (set[cpu >> 3] as number) | (1 << (cpu & 7));
  }
  p.at(path, `run on CPUs ${list}`, () => {
    p.call("sched_setaffinity", [0, CPU_SET_BYTES, { kind: "bytes", value: set, text: `[${list}]` }]);
  });
}

export function setScheduling(p: PlanBuilder, process: Process, config: Config): void {
  const { scheduler, ioPriority } = process;
  if (scheduler)
    p.at("process.scheduler", `schedule by ${scheduler.policy}`, () => {
      const flags = (scheduler.flags ?? []).reduce((sum, flag) => sum | (FLAGS[flag] ?? 0), 0);
      const attributes = struct(
        u32("size", 48),
        u32("policy", POLICIES[scheduler.policy] as number),
        u64("flags", flags),
        u32("nice", scheduler.nice ?? 0),
        u32("priority", scheduler.priority ?? 0),
        u64("runtime", scheduler.runtime ?? 0n),
        u64("deadline", scheduler.deadline ?? 0n),
        u64("period", scheduler.period ?? 0n),
      );
      p.call("sched_setattr", [0, attributes, 0]);
    });
  if (ioPriority)
    p.at("process.ioPriority", `set the I/O priority ${ioPriority.class} ${ioPriority.priority}`, () => {
      p.call("ioprio_set", [
        IOPRIO_WHO_PROCESS,
        0,
        (IO_CLASSES[ioPriority.class] << 13) | ioPriority.priority,
      ]);
    });
  setMemoryPolicy(p, config);
  const personality = config.linux?.personality;
  if (personality)
    p.at("linux.personality", `set the execution domain ${personality.domain}`, () => {
      const PER: Record<string, NumberArg> = {
        LINUX: { kind: "number", value: 0, text: "PER_LINUX" },
        LINUX32: { kind: "number", value: 8, text: "PER_LINUX32" },
      };
      p.call("personality", [PER[personality.domain] as NumberArg]);
    });
}
