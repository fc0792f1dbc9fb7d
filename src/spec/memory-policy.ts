// config-linux.md "Memory policy"; set_mempolicy(2).
import * as z from "zod/mini";
import { MEMORY_POLICY_FLAGS, MEMORY_POLICY_MODES } from "./names.ts";
import { choice, maybeText, type Output, once } from "./scalars.ts";

export const memoryPolicySchema = once(() =>
  z.object({
    mode: choice(MEMORY_POLICY_MODES),
    /** List of memory nodes such as `0-3,7`. */
    nodes: maybeText,
    flags: z.optional(z.array(choice(MEMORY_POLICY_FLAGS))),
  }),
);
export type MemoryPolicy = Output<ReturnType<typeof memoryPolicySchema>>;
