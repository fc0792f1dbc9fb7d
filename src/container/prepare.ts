// What `create`, `run` and `plan` know before anything is made.
import { readFileSync, realpathSync } from "node:fs";
import { join, resolve } from "node:path";
import { readCgroupLayout } from "../cgroup/layout.ts";
import { listCgroupMounts } from "../cgroup/mounts.ts";
import { findCgroupOwner } from "../cgroup/ownership.ts";
import { planCgroup } from "../cgroup/plan.ts";
import { leaveDevices, leaveUnusable } from "../cgroup/rootless.ts";
import type { CgroupPlan } from "../cgroup/types.ts";
import { grantableCapabilities } from "../compile/container.ts";
import { completeEnv, findHome } from "../compile/environment.ts";
import type { Facts } from "../compile/facts.ts";
import { resolveCapabilities } from "../compile/identity.ts";
import { checkIdmaps } from "../compile/idmap.ts";
import { checkLabels } from "../compile/lsm.ts";
import { hasNamespace, readNamespaces } from "../compile/namespaces.ts";
import { isWithin } from "../compile/rootfs.ts";
import { checkRootless } from "../compile/rootless.ts";
import type { Context } from "../context.ts";
import { checkNetDevices } from "../host/net-devices.ts";
import { readPrivilege } from "../host/privilege.ts";
import { collectFacts } from "../host/probe.ts";
import { findResctrl, planResctrl, type ResctrlPlan } from "../host/resctrl.ts";
import { checkSyscallNames } from "../host/seccomp.ts";
import { readSystemdFacts } from "../host/systemd.ts";
import { checkJoinedMappings } from "../host/user-namespace.ts";
import { refusesUnknownSyscalls } from "../spec/annotations.ts";
import { configWarnings, parseConfig, type RunnableConfig } from "../spec/config.ts";
import { SPEC_VERSION } from "../spec/state.ts";
import { addNotifyMount, NOTIFY_VARIABLE } from "./notify.ts";
import type { CreateOptions } from "./options.ts";
import { type ContainerRecord, formatTimestamp } from "./record.ts";
import { describeAgent } from "./seccomp-agent.ts";
import { checkId, describeFsError } from "./store.ts";

/** Everything that is known before anything is made. */
export interface Prepared {
  readonly options: CreateOptions;
  readonly text: string;
  readonly config: RunnableConfig;
  readonly facts: Facts;
  readonly cgroup: CgroupPlan;
  readonly resctrl: ResctrlPlan | undefined;
  /** Descriptors from 3 that the process gets. */
  readonly keepFds: readonly number[];
}

/** Reads and checks the bundle. Throws ConfigError and TsruncError; makes nothing. */
export function prepareContainer(ctx: Context, options: CreateOptions): Prepared {
  checkId(options.id);
  const bundle = findBundle(ctx, options);
  const text = readConfigFile(join(bundle, options.configFile));
  const config = addNotifyMount(ctx, options.id, parseConfig(text, { requireProcess: true }));
  ctx.log.debug("config.json is read and checked");
  const user = readNamespaces(config).joined.get("user");
  if (user && (config.linux?.uidMappings ?? config.linux?.gidMappings) !== undefined)
    checkJoinedMappings(ctx, user.path, {
      uid: config.linux?.uidMappings ?? [],
      gid: config.linux?.gidMappings ?? [],
    });
  const layout = readCgroupLayout();
  const request = {
    id: options.id,
    cgroupsPath: config.linux?.cgroupsPath,
    resources: config.linux?.resources,
    annotations: config.annotations,
    ownerUid: findCgroupOwner(config),
    systemd: options.systemdCgroup ? readSystemdFacts(ctx) : undefined,
  };
  const privilege = readPrivilege(ctx);
  const isHostRoot = ctx.euid === 0 && !privilege.isInUserNamespace;
  const whole = planCgroup(layout, request);
  const planned = isHostRoot ? whole : leaveDevices(whole);
  const isRootless = options.rootless ?? !isHostRoot;
  const mayDoWithout = isRootless && (request.cgroupsPath ?? "") === "" && !options.systemdCgroup;
  const cgroup = mayDoWithout ? leaveUnusable(planned, layout) : planned;
  if (!hasCgroup(cgroup) && !hasNamespace(readNamespaces(config), "pid"))
    ctx.log.warn(
      "a rootless container with no cgroup and no private pid namespace: kill and delete may miss some of its processes",
    );
  const facts = collectFacts(ctx, config, bundle, listCgroupMounts(layout, cgroup.record), privilege);
  checkLabels(config.process, facts.lsm);
  checkIdmaps(config, facts);
  checkNetDevices(config, ctx.euid);
  checkRootless(config, facts);
  const profile = config.linux?.seccomp;
  if (profile && refusesUnknownSyscalls(config)) checkSyscallNames(ctx, profile);
  const rdt = config.linux?.intelRdt;
  const resctrl = rdt && planResctrl(rdt, options.id, findResctrl(facts.mountPoints));
  for (const warning of configWarnings(config)) ctx.log.warn(warning);
  const { warning } = resolveCapabilities(config.process.capabilities, grantableCapabilities(config, facts));
  if (warning !== undefined) ctx.log.warn(warning);
  ctx.log.debug("the host is looked at");
  const last = 3 + options.preserveFds + countListenFds(ctx);
  const keepFds = ctx.inheritedFds.filter((fd) => fd < last);
  return { options, text, config, facts, cgroup, resctrl, keepFds };
}

/** Whether there is any hierarchy in which the container has a cgroup: see {@link leaveUnusable}. */
function hasCgroup({ record }: CgroupPlan): boolean {
  return Object.keys(record.paths).length > 0;
}

/** sd_listen_fds(3): descriptors from 3 on that a service manager has passed. What is no number passes none. */
function countListenFds({ env }: Pick<Context, "env">): number {
  return /^\d{1,9}$/.test(env.LISTEN_FDS ?? "") ? Number(env.LISTEN_FDS) : 0;
}

/** Without symbolic links, which may lead elsewhere later. What is wrong with it is told when its config is read. */
function findBundle(ctx: Context, options: CreateOptions): string {
  const path = resolve(ctx.cwd, options.bundle);
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

function readConfigFile(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw describeFsError("read the bundle's configuration", error);
  }
}

/** The record of a container of which nothing exists yet. */
export function firstRecord(ctx: Context, { options, config, facts, cgroup }: Prepared): ContainerRecord {
  const namespaces = readNamespaces(config);
  return {
    version: 1,
    id: options.id,
    ociVersion: SPEC_VERSION,
    bundle: facts.bundle,
    rootfs: facts.rootfs,
    created: formatTimestamp(ctx.now()),
    annotations: { ...(config.annotations ?? {}) } as Record<string, string>,
    owner: ctx.euid,
    phase: "creating",
    pid: 0,
    startTime: "0",
    cgroup: hasCgroup(cgroup) ? cgroup.record : null,
    ownsCgroup: false,
    hooks: {
      startContainer: config.hooks?.startContainer ?? [],
      poststart: config.hooks?.poststart ?? [],
      poststop: config.hooks?.poststop ?? [],
    },
    hasOwnPidNamespace: hasNamespace(namespaces, "pid"),
    keptMounts: hasNamespace(namespaces, "mount") ? null : listMountsBelow(facts),
    seccompAgent: describeAgent(config, facts.bundle),
  };
}

/** The process's environment: HOME from the container's /etc/passwd, socket activation (sd_listen_fds(3)), sd_notify(3). */
export function containerEnv(
  ctx: Pick<Context, "env">,
  { process }: Pick<RunnableConfig, "process">,
  passwd: Uint8Array | undefined,
): readonly string[] {
  const text = passwd && new TextDecoder().decode(passwd.subarray(0, passwd.indexOf(0)));
  const home = text === undefined ? undefined : findHome(text, process.user.uid);
  const listen = countListenFds(ctx);
  const extra = [
    ...(listen > 0 ? [`LISTEN_FDS=${listen}`, "LISTEN_PID=1"] : []),
    ...(ctx.env.NOTIFY_SOCKET ? [NOTIFY_VARIABLE] : []),
  ];
  return completeEnv(process.env ?? [], home, extra);
}

/** Mount points below the root file system that are there before the container's. */
function listMountsBelow({ mountPoints, rootfs }: Facts): readonly string[] {
  return mountPoints.map(({ path }) => path).filter((path) => path !== rootfs && isWithin(path, rootfs));
}
