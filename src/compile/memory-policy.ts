// linux.memoryPolicy: set_mempolicy(2). The policy lasts through fork and execve.
import { NULL, type PlanBuilder } from "../plan/build.ts";
import type { NumberArg } from "../plan/step.ts";
import type { Config, MemoryPolicy } from "../spec/config.ts";

// The kernel's include/uapi/linux/mempolicy.h.
const MODES: Readonly<Record<MemoryPolicy["mode"], number>> = {
  MPOL_DEFAULT: 0,
  MPOL_PREFERRED: 1,
  MPOL_BIND: 2,
  MPOL_INTERLEAVE: 3,
  MPOL_LOCAL: 4,
  MPOL_PREFERRED_MANY: 5, // Linux 5.15
  MPOL_WEIGHTED_INTERLEAVE: 6, // Linux 6.9
};
const FLAGS: Readonly<Record<NonNullable<MemoryPolicy["flags"]>[number], number>> = {
  MPOL_F_NUMA_BALANCING: 1 << 13,
  MPOL_F_RELATIVE_NODES: 1 << 14,
  MPOL_F_STATIC_NODES: 1 << 15,
};

/** For init in the container's cgroup, whose cpuset bounds the nodes. */
export function setMemoryPolicy(p: PlanBuilder, config: Config): void {
  const policy = config.linux?.memoryPolicy;
  if (policy === undefined) return;
  const { mode, flags = [], nodes } = policy;
  const value: NumberArg = {
    kind: "number",
    value: flags.reduce((sum, flag) => sum | FLAGS[flag], MODES[mode]),
    text: [mode, ...flags].join("|"),
  };
  const mask = nodes === undefined ? undefined : encodeNodes(nodes);
  p.at(
    "linux.memoryPolicy",
    `set the memory policy ${mode}${nodes === undefined ? "" : ` of nodes ${nodes}`}`,
    () => {
      // The kernel takes one bit less than it is told.
      const args = mask
        ? [{ kind: "bytes", value: mask, text: `[${nodes}]` } as const, 8 * mask.length + 1]
        : [NULL, 0];
      p.call("set_mempolicy", [value, ...args], {
        hint: {
          errno: "EINVAL",
          text: "a node that is absent or outside of cpuset.mems, or a mode newer than the kernel",
        },
      });
    },
  );
}

/** A bit mask of nodes, in whole longs, of a list such as `0-3,7`. */
export function encodeNodes(list: string): Uint8Array {
  const ranges = list.split(",").map((part) => {
    const [first = "", last = first] = part.trim().split("-");
    return [Number(first), Number(last)] as const;
  });
  const largest = Math.max(...ranges.map(([, last]) => last));
  const mask = new Uint8Array(8 * (Math.floor(largest / 64) + 1));
  for (const [first, last] of ranges)
    for (let node = first; node <= last; node++)
      mask[node >> 3] = (mask[node >> 3] as number) | (1 << (node & 7));
  return mask;
}
