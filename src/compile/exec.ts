// A further process in a container: joins the namespaces of the container's first process, then becomes the process
// by the same steps as a container's own.
import { PlanBuilder } from "../plan/build.ts";
import type { OutBuffer, Plan } from "../plan/step.ts";
import { keepsGroups } from "../spec/annotations.ts";
import type { Process, RunnableConfig } from "../spec/config.ts";
import { type CgroupJoin, joinCgroups } from "./cgroup-join.ts";
import { openConsole } from "./console.ts";
import { adjustOomScore, joinResctrlGroup, nameInit, raiseRlimits } from "./container.ts";
import { enterNamespaces, type JoinedProcess } from "./enter.ts";
import { lacksHome } from "./environment.ts";
import { checkExecutable } from "./executable.ts";
import type { LsmFacts } from "./facts.ts";
import { setGroups } from "./identity.ts";
import { hasLabels, labelKeys, labelProcess } from "./lsm.ts";
import { becomeProcess, checkCwd, joinKeyring, type ProcessPlan, readPasswd } from "./process.ts";
import { openHostProcfs } from "./procfs.ts";
import { resetScheduling, setAffinity, setScheduling } from "./scheduling.ts";

export interface ExecPlanOptions {
  readonly id: string;
  /** The container's first process. */
  readonly container: JoinedProcess;
  readonly lsm: LsmFacts;
  /** Absent for a container that has no cgroup. */
  readonly cgroup?: CgroupJoin | undefined;
  readonly consoleSocket?: number | undefined;
  /** Whether the container has a resctrl group. */
  readonly hasResctrl?: boolean;
}

/** Up to the point at which the environment is complete. */
export function compileExec(
  config: RunnableConfig,
  process: Process,
  options: ExecPlanOptions,
): { readonly plan: Plan; readonly passwd: OutBuffer | undefined } {
  const p = new PlanBuilder();
  const { container } = options;
  if (process.oomScoreAdj !== undefined) adjustOomScore(p, process.oomScoreAdj);
  nameInit(p);
  const { initial, final } = process.execCPUAffinity ?? {};
  if (initial) setAffinity(p, "process.execCPUAffinity.initial", initial);
  const cgroup = options.cgroup && joinCgroups(p, options.cgroup, container.namespaces.includes("user"));
  if (final) setAffinity(p, "process.execCPUAffinity.final", final);
  else if (!initial) resetScheduling(p);
  const procfs = hasLabels(process, options.lsm) ? openHostProcfs(p) : undefined;
  enterNamespaces(p, container, cgroup);
  p.at("", "join the container's namespaces", () => p.call("close", [container.pidfd]));
  p.host({ do: "record-process" });
  if (options.hasResctrl) joinResctrlGroup(p);
  raiseRlimits(p, process);
  p.at("", "lead a session of its own", () => p.call("setsid", []));
  labelKeys(p, procfs, process, () => joinKeyring(p, options.id));
  if (procfs) {
    labelProcess(p, procfs, process, options.lsm);
    p.call("close", [procfs]);
  }
  if (process.terminal && options.consoleSocket !== undefined)
    openConsole(p, {
      socket: options.consoleSocket,
      uid: process.user.uid,
      consoleSize: process.consoleSize,
      bindConsole: false,
    });
  setScheduling(p, process, config);
  setGroups(p, process, keepsGroups(config));
  checkCwd(p, process);
  checkExecutable(p, process.args?.[0] ?? "", process.env ?? [], process.user);
  const passwd = lacksHome(process.env ?? []) ? readPasswd(p) : undefined;
  return { plan: p.build(), passwd };
}

/** The last batch of an exec. */
export function compileExecStart(plan: ProcessPlan): Plan {
  const p = new PlanBuilder();
  becomeProcess(p, plan);
  return p.build();
}
