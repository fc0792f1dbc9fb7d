// Batches that are no part of a plan: what a step needs of init that is known only while the plan runs.
import { PlanBuilder } from "../plan/build.ts";
import type { InitStep, OutBuffer, Pointee, Result, Source } from "../plan/step.ts";
import { runBatch, type Session } from "./session.ts";

/** A conversation of its own with a plan's init: the plan's results stay as they are. */
export interface Side {
  readonly session: Session;
  /** Who asked for it. */
  readonly source: Source;
}

/** For use while the plan's own conversation waits. */
export function openSide(session: Session, source: Source): Side {
  return { session: { ...session, results: new Map(), outputs: new Map() }, source };
}

/** Runs one batch; what it gave is known until the next one. Throws SyscallError. */
export function runSide<T>({ session, source }: Side, build: (p: PlanBuilder) => T): T {
  const p = new PlanBuilder();
  const value = p.at(source.path, source.intent, () => build(p));
  session.outputs.clear();
  runBatch(session, p.build().steps as readonly InitStep[], 0);
  return value;
}

/** The result of a step of the last batch; minus an errno that was tolerated. */
export function resultOf({ session }: Side, result: Result): number {
  return Number(session.results.get(result.step));
}

/** What a call of the last batch left in a buffer. */
export function outputOf({ session }: Side, buffer: OutBuffer): Uint8Array {
  const bytes = session.outputs.get(buffer);
  if (!bytes) throw new Error(`init sent no ${buffer.name}`);
  return bytes;
}

/** A path or name that need not be UTF-8; `value` ends with NUL. */
export function pathBytes(value: Uint8Array): Pointee {
  return { kind: "bytes", value, text: JSON.stringify(new TextDecoder().decode(value.subarray(0, -1))) };
}
