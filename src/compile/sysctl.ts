// linux.sysctl ("Sysctl" in config-linux.md).
import { TsruncError } from "../errors.ts";
import type { PlanBuilder } from "../plan/build.ts";
import type { Result } from "../plan/step.ts";
import type { Config } from "../spec/config.ts";
import { sysctlPath } from "../spec/sysctl.ts";
import { writeProcFile } from "./procfs.ts";

/** Sets kernel parameters. `procfs` of the container's namespaces stays open. */
export function writeSysctls(p: PlanBuilder, config: Config, procfs: Result): void {
  for (const [name, value] of Object.entries(config.linux?.sysctl ?? {})) {
    const path = sysctlPath(name);
    if (path === undefined)
      throw new TsruncError(`linux.sysctl[${JSON.stringify(name)}]: is no kernel parameter`);
    p.at(`linux.sysctl[${JSON.stringify(name)}]`, `set ${name}`, () =>
      writeProcFile(p, procfs, `sys/${path}`, value),
    );
  }
}
