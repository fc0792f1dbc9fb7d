// config-linux.md "IntelRdt".
import * as z from "zod/mini";
import { maybeBoolean, maybeStrings, maybeText, type Output, once } from "./scalars.ts";

export const intelRdtSchema = once(() =>
  z.object({
    /** Directory in resctrl; `/` is its root. */
    closID: maybeText,
    l3CacheSchema: maybeText,
    memBwSchema: maybeText,
    /** Lines of the `schemata` file. */
    schemata: maybeStrings,
    enableMonitoring: maybeBoolean,
  }),
);
export type IntelRdt = Output<ReturnType<typeof intelRdtSchema>>;
