// `plan`: what create and start would do, without doing anything.
import { describeCgroupPlan } from "../cgroup/plan.ts";
import { planSelfJoin } from "../cgroup/self-join.ts";
import { compileContainer, compileStart } from "../compile/container.ts";
import { listIdmaps } from "../compile/idmap.ts";
import { describeFilter, describeInstallation } from "../compile/seccomp.ts";
import type { Context } from "../context.ts";
import { describeResctrl } from "../host/resctrl.ts";
import { compileFilter } from "../host/seccomp.ts";
import { printPlan } from "../plan/print.ts";
import type { CreateOptions } from "./options.ts";
import { containerEnv, prepareContainer } from "./prepare.ts";

/** The plans of `create` and `start` as text, one call a line. HOME shows as `/` where it is looked up. */
export async function planContainer(ctx: Context, options: CreateOptions): Promise<string> {
  const { config, facts, cgroup, resctrl, keepFds } = prepareContainer(ctx, options);
  const { id, noPivot, noNewKeyring } = options;
  const consoleSocket = config.process.terminal ? 3 : undefined;
  const create = compileContainer(config, facts, {
    id,
    noPivot,
    noNewKeyring,
    consoleSocket,
    cgroup: planSelfJoin(cgroup.record),
    idNamespaces: new Map([...listIdmaps(config).keys()].map((maps) => [maps, -1])),
  });
  const env = containerEnv(ctx, config, create.passwd && new Uint8Array(1));
  const profile = config.linux?.seccomp;
  const seccomp =
    profile && describeInstallation(profile, compileFilter(ctx, describeFilter(profile, facts.arch)));
  const rest = { env, keepFds, nofile: ctx.callerNofile, seccomp, socket: 3 };
  const start = compileStart(config, facts, rest);
  const hostLines = [...describeCgroupPlan(cgroup), ...(resctrl ? describeResctrl(resctrl) : [])];
  return `${hostLines.map((line) => `host  ${line}\n`).join("")}${printPlan(create.plan)}\n--- start ---\n${printPlan(start)}`;
}
