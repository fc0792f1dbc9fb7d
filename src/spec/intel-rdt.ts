// config-linux.md "IntelRdt".
import * as z from "zod/mini";
import { boolean, type Output, optionalText, strings } from "./scalars.ts";

export const intelRdtSchema = z.object({
  /** Directory in resctrl; `/` is its root. */
  closID: optionalText,
  l3CacheSchema: optionalText,
  memBwSchema: optionalText,
  /** Lines of the `schemata` file. */
  schemata: z.optional(strings),
  enableMonitoring: z.optional(boolean),
});
export type IntelRdt = Output<typeof intelRdtSchema>;
