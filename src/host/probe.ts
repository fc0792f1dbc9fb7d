import type { CgroupMounts, Facts } from "../compile/facts.ts";
import type { Context } from "../context.ts";
import type { Config } from "../spec/config.ts";

/** `bundle`: absolute. Throws TsruncError (kernel too old, no root file system). */
export function collectFacts(
  _ctx: Context,
  _config: Config,
  _bundle: string,
  _cgroupMounts: CgroupMounts,
): Facts {
  throw new Error("in work");
}
