// Where a plan is cut into batches.
import type { Step } from "./step.ts";

/** Steps of a plan after which a batch ends if it can: init takes 16384, and a step may need some more before it. */
const BATCH_STEPS = 4096;

/**
 * Index behind the last step of a batch that begins at `from`, a step of the init lane: no step of the batch leads beyond it.
 */
export function findBatchEnd(steps: readonly Step[], from: number): number {
  let reach = from;
  for (let end = from; ; end++) {
    const step = steps[end];
    if (step?.lane !== "init" || (end - from >= BATCH_STEPS && reach <= end)) return end;
    reach = Math.max(reach, step.nextOnSuccess ?? 0, step.nextOnError ?? 0);
  }
}
