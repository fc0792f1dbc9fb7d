// config-linux.md "Memory policy"; set_mempolicy(2).
import * as z from "zod/mini";
import { choice, maybeText, type Output, once } from "./scalars.ts";

export const MEMORY_POLICY_MODES = [
  "MPOL_DEFAULT",
  "MPOL_BIND",
  "MPOL_INTERLEAVE",
  "MPOL_WEIGHTED_INTERLEAVE",
  "MPOL_PREFERRED",
  "MPOL_PREFERRED_MANY",
  "MPOL_LOCAL",
] as const;

export const MEMORY_POLICY_FLAGS = [
  "MPOL_F_NUMA_BALANCING",
  "MPOL_F_RELATIVE_NODES",
  "MPOL_F_STATIC_NODES",
] as const;

export const memoryPolicySchema = once(() =>
  z.object({
    mode: choice(MEMORY_POLICY_MODES),
    /** List of memory nodes such as `0-3,7`. */
    nodes: maybeText,
    flags: z.optional(z.array(choice(MEMORY_POLICY_FLAGS))),
  }),
);
export type MemoryPolicy = Output<ReturnType<typeof memoryPolicySchema>>;
