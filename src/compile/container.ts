// THE order in which a container is made, straight down. Each line stands where it does for the reason beside it.
import { RLIMITS } from "../linux/rlimits.ts";
import { PlanBuilder } from "../plan/build.ts";
import type { NumberArg, OutBuffer, Plan } from "../plan/step.ts";
import { keepsGroups } from "../spec/annotations.ts";
import type { Process, RunnableConfig } from "../spec/config.ts";
import { type CgroupJoin, joinCgroups } from "./cgroup-join.ts";
import { openConsole } from "./console.ts";
import { createDevices } from "./devices.ts";
import { lacksHome } from "./environment.ts";
import { checkExecutable } from "./executable.ts";
import type { Facts } from "./facts.ts";
import { ALL_CAPABILITIES, resolveCapabilities, setGroups } from "./identity.ts";
import { INIT_NAME } from "./init-name.ts";
import { findMountLabel, hasLabels, labelKeys, labelProcess } from "./lsm.ts";
import { openMountSources } from "./mount-sources.ts";
import { mountAll } from "./mounts.ts";
import {
  becomeRoot,
  bringLoopbackUp,
  createCgroupNamespace,
  createNamespaces,
  createUserNamespace,
  forkContainer,
  hasNamespace,
  isOpenToCaller,
  joinNamespaces,
  openJoinedNamespaces,
  readNamespaces,
  setNotDumpable,
} from "./namespaces.ts";
import { takeNetDevices } from "./net-devices.ts";
import { maskPaths, protectPaths } from "./paths.ts";
import { enterRootfs } from "./pivot.ts";
import { becomeProcess, checkCwd, joinKeyring, type ProcessPlan, readPasswd } from "./process.ts";
import { openPrivateProcfs } from "./procfs.ts";
import { attachRootfs, createCwd, finishRootfs, setRootPropagation } from "./rootfs.ts";
import { resetScheduling, setScheduling } from "./scheduling.ts";
import { writeSysctls } from "./sysctl.ts";

const PR_SET_NAME: NumberArg = { kind: "number", value: 15, text: "PR_SET_NAME" };

export interface ContainerOptions {
  readonly id: string;
  readonly noPivot: boolean;
  readonly noNewKeyring: boolean;
  readonly cgroup: CgroupJoin;
  /** Descriptor, in init, of the console socket; needed for `process.terminal`. */
  readonly consoleSocket?: number | undefined;
  /** Descriptors, in init, of user namespaces for id-mapped mounts: see `IdNamespaces`. */
  readonly idNamespaces?: ReadonlyMap<string, number> | undefined;
}

export interface ContainerPlan {
  readonly plan: Plan;
  /** Content of the container's /etc/passwd, if HOME must be found in it. */
  readonly passwd: OutBuffer | undefined;
}

/**
 * From the spawn of init to the moment at which it waits for `start`. `begin` is called in between with the steps so far:
 * they can be run while the rest is compiled.
 */
export function compileContainer(
  config: RunnableConfig,
  facts: Facts,
  options: ContainerOptions,
  begin: (plan: Plan) => void = () => {},
): ContainerPlan {
  const p = new PlanBuilder();
  const { process } = config;
  const namespaces = readNamespaces(config);
  const has = (type: Parameters<typeof hasNamespace>[1]): boolean => hasNamespace(namespaces, type);

  // In the caller's namespaces, with its privilege.
  if (process.oomScoreAdj !== undefined) adjustOomScore(p, process.oomScoreAdj); // a user namespace may not lower it
  nameInit(p); // and hide it from processes of the namespaces that it will be seen in, and from an ordinary caller
  resetScheduling(p); // before the cgroup, whose cpuset then bounds it
  const joined = openJoinedNamespaces(p, namespaces); // paths of the host
  const sources = openMountSources(p, config, facts, {
    joined: joined.get("user"),
    made: options.idNamespaces,
  }); // paths of the host; with a user namespace they are only told to a helper
  const cgroup = joinCgroups(p, options.cgroup, has("user") || namespaces.joined.has("cgroup")); // paths of the host; before any fork

  // The namespaces: joined ones first, the user namespace last of them; new ones then belong to it.
  joinNamespaces(p, joined);
  if (namespaces.created.has("user")) createUserNamespace(p, config, facts.euid);
  if (has("user")) becomeRoot(p, isOpenToCaller(namespaces, facts.euid));
  createNamespaces(p, config, namespaces);
  sources.receive(); // from the helper, which has init's descriptors but not the forked process's
  forkContainer(p, cgroup); // pid and time namespaces take effect in the child
  begin(p.build());
  p.host({ do: "record-process" }); // from here on `delete --force` finds it
  p.host({ do: "write-late-limits" });
  if (config.linux?.intelRdt) joinResctrlGroup(p); // after record-process; a process that is forked later is in it too
  raiseRlimits(p, process); // from outside, while init is still root
  p.at("", "lead a session of its own", () => p.call("setsid", []));
  if (namespaces.created.has("cgroup")) createCgroupNamespace(p); // its root is the cgroup joined above
  const earlyProcfs = process.selinuxLabel === undefined ? undefined : openPrivateProcfs(p);
  if (!options.noNewKeyring) labelKeys(p, earlyProcfs, process, () => joinKeyring(p, options.id));
  if (namespaces.created.has("network")) bringLoopbackUp(p);

  // The root file system. Every path below is resolved in it, to a descriptor, before it is used.
  const writesProc = Object.keys(config.linux?.sysctl ?? {}).length > 0 || hasLabels(process, facts.lsm);
  const root = attachRootfs(p, config, facts, sources);
  const mounted = mountAll(p, config, facts, sources, root);
  createDevices(p, config, facts, root, sources); // after the mount on /dev
  createCwd(p, config, root); // before a read-only root
  takeNetDevices(p, config); // hooks see them; after what fails most often, since a moved device is down for a moment
  runHooks(p, config, "prestart", false);
  runHooks(p, config, "createRuntime", false);
  runHooks(p, config, "createContainer", true); // the runtime's root is still visible in the namespace
  const procfs = earlyProcfs ?? (writesProc ? openPrivateProcfs(p) : undefined); // the kernel allows it while the host's is visible
  enterRootfs(p, config, facts, root, { noPivot: options.noPivot });
  if (process.terminal && options.consoleSocket !== undefined)
    openConsole(p, {
      socket: options.consoleSocket,
      uid: process.user.uid,
      consoleSize: process.consoleSize,
      bindConsole: true,
    }); // after pivot_root: the pty of the container's own devpts; before /dev becomes read-only
  finishRootfs(p, config, mounted);
  const passwd = lacksHome(process.env ?? []) ? readPasswd(p) : undefined; // here, so that its answer comes with these steps
  begin(p.build());
  setNames(p, config);
  if (procfs) writeSysctls(p, config, procfs);
  protectPaths(p, config);
  maskPaths(p, config, findMountLabel(config, facts));
  setRootPropagation(p, config); // after the last mount

  // The process, as far as it can be prepared before `start`.
  if (procfs) labelProcess(p, procfs, process, facts.lsm); // a profile that is not loaded is an error of `create`
  setScheduling(p, process, config); // needs privilege
  setGroups(p, process, keepsGroups(config)); // decides on access below
  checkCwd(p, process);
  checkExecutable(p, process.args?.[0] ?? "", process.env ?? [], process.user);
  return { plan: p.build(), passwd };
}

/** The last batch: what `start` makes init do. */
export function compileStart(
  config: RunnableConfig,
  facts: Facts,
  options: Pick<ProcessPlan, "env" | "keepFds" | "nofile" | "seccomp" | "socket">,
): Plan {
  const p = new PlanBuilder();
  const { sets } = resolveCapabilities(config.process.capabilities, grantableCapabilities(config, facts));
  if (isOpenToCaller(readNamespaces(config), facts.euid))
    p.at("", "let no other process look into init", () => setNotDumpable(p)); // an exec may be there by now
  becomeProcess(p, {
    process: config.process,
    capabilities: sets,
    keepsGroups: keepsGroups(config),
    ...options,
  });
  return p.build();
}

/** What can be granted: in a user namespace everything, else what the runtime's bounding set has. */
export function grantableCapabilities(config: RunnableConfig, facts: Pick<Facts, "boundingSet">): bigint {
  return hasNamespace(readNamespaces(config), "user") ? ALL_CAPABILITIES : facts.boundingSet;
}

export function nameInit(p: PlanBuilder): void {
  p.at("", "name init, and let no other process look into it", () => {
    p.call("prctl", [PR_SET_NAME, INIT_NAME, 0, 0, 0]);
    setNotDumpable(p);
  });
}

export function adjustOomScore(p: PlanBuilder, score: number): void {
  p.at("process.oomScoreAdj", `set oom_score_adj to ${score}`, () =>
    p.host({ do: "write-proc", of: "launcher", file: "oom_score_adj", value: String(score) }),
  );
}

export function joinResctrlGroup(p: PlanBuilder): void {
  p.at("linux.intelRdt", "join the resctrl group", () => p.host({ do: "join-resctrl" }));
}

/** Hard limits above the caller's own need privilege on the host. */
export function raiseRlimits(p: PlanBuilder, process: Process): void {
  const limits = (process.rlimits ?? []).map(({ type, soft, hard }) => ({
    name: type,
    resource: RLIMITS[type],
    soft,
    hard,
  }));
  if (limits.length === 0) return;
  p.at("process.rlimits", "raise hard limits", () => p.host({ do: "raise-rlimits", limits }));
}

function runHooks(
  p: PlanBuilder,
  config: RunnableConfig,
  kind: "prestart" | "createRuntime" | "createContainer",
  inContainer: boolean,
): void {
  if ((config.hooks?.[kind] ?? []).length === 0) return;
  p.at(`hooks.${kind}`, `run ${kind} hooks`, () => p.host({ do: "run-hooks", kind, inContainer }));
}

function setNames(p: PlanBuilder, config: RunnableConfig): void {
  const { hostname, domainname } = config;
  if (hostname)
    p.at("hostname", `set the host name ${hostname}`, () =>
      p.call("sethostname", [hostname, new TextEncoder().encode(hostname).length]),
    );
  if (domainname)
    p.at("domainname", `set the domain name ${domainname}`, () =>
      p.call("setdomainname", [domainname, new TextEncoder().encode(domainname).length]),
    );
}
