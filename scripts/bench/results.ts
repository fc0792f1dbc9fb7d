// What a run of the bench has measured.
import type { Bundle } from "./bundles.ts";
import type { Growth } from "./crowd.ts";
import type { Row, TimedRow } from "./rows.ts";
import type { Runtime } from "./runtimes.ts";
import type { Cost } from "./time.ts";

/** A moment of `tsrunc --debug run`: what was done, and milliseconds since the process began. */
export interface Moment {
  readonly text: string;
  readonly ms: number;
}

export interface Results {
  readonly machine: readonly (readonly [string, string])[];
  /** Load of the machine before the first measurement. */
  readonly load: number;
  readonly runs: number;
  readonly runtimes: readonly Runtime[];
  readonly bundles: readonly Bundle[];
  readonly cost: (bundle: string, row: TimedRow, runtime: Runtime) => Cost;
  /** Peak resident memory in kB. */
  readonly peak: (bundle: string, row: Row, runtime: Runtime) => number;
  /** Memory of a waiting container in kB. */
  readonly waiting: (bundle: string, runtime: Runtime) => { readonly rss: number; readonly pss: number };
  readonly growth: ReadonlyMap<Runtime, Growth>;
  readonly moments: readonly { readonly bundle: Bundle; readonly moments: readonly Moment[] }[];
}
