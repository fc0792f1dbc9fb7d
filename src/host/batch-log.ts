// Which batches of a session's init may still report on: a helper that one has made (clone3) fails whenever it does.
// Of all others there is nothing to keep, however many there are.
import type { InitStep } from "../plan/step.ts";
import { type Batch, numberBatch } from "../plan/wire.ts";

/** What tells which step of a batch a report is about. */
export interface SentSteps {
  readonly planIndex: Batch["planIndex"];
  readonly steps: readonly InitStep[];
  /** Index of the first step in its plan. */
  readonly first: number;
}

/** Shared by all conversations with one init. */
export interface BatchLog {
  /** How many batches were sent. */
  count: number;
  readonly helped: Map<number, SentSteps>;
}

export function openBatchLog(): BatchLog {
  return { count: 0, helped: new Map() };
}

/** Gives a batch that is about to be sent its number. */
export function logBatch(log: BatchLog, batch: Batch, steps: readonly InitStep[], first: number): number {
  const number = log.count++;
  numberBatch(batch, number);
  if (steps.some(({ call }) => call === "clone3"))
    log.helped.set(number, { planIndex: batch.planIndex, steps, first });
  return number;
}

/** The step that a report about an earlier batch names; `index` counts init's steps. */
export function findReportedStep(log: BatchLog, number: number, index: number): InitStep {
  const sent = log.helped.get(number);
  const step = sent?.steps[(sent.planIndex[index] as number) - sent.first];
  if (step === undefined) throw new Error(`init reported on step ${index} of batch ${number}`);
  return step;
}
