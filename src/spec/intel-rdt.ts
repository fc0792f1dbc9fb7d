// config-linux.md "IntelRdt".
import * as z from "zod/mini";
import { maybeBoolean, maybeStrings, maybeText, type Output } from "./scalars.ts";

export const intelRdtSchema = z.object({
  /** Directory in resctrl; `/` is its root. */
  closID: maybeText,
  l3CacheSchema: maybeText,
  memBwSchema: maybeText,
  /** Lines of the `schemata` file. */
  schemata: maybeStrings,
  enableMonitoring: maybeBoolean,
});
export type IntelRdt = Output<typeof intelRdtSchema>;
