// `exec`: a further process in a created or running container.
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { loadLibc } from "../../native-bindings/libc.ts";
import { isFrozen } from "../cgroup/freezer.ts";
import { findSelfJoin, findUserUnit, innerPath, planSelfJoin } from "../cgroup/self-join.ts";
import { placeSubCgroup } from "../cgroup/sub-cgroup.ts";
import type { CgroupJoin } from "../compile/cgroup-join.ts";
import { grantableCapabilities } from "../compile/container.ts";
import { compileExec, compileExecStart } from "../compile/exec.ts";
import { resolveCapabilities } from "../compile/identity.ts";
import { checkLabels } from "../compile/lsm.ts";
import type { Context } from "../context.ts";
import { messageOf, phrases, TsruncError } from "../errors.ts";
import { connectConsoleSocket, openConsolePair, receiveMaster } from "../host/console.ts";
import { findOtherNamespaces } from "../host/container-namespaces.ts";
import { discussExecution } from "../host/execution.ts";
import { closeFd } from "../host/fd.ts";
import { waitForExit } from "../host/foreground.ts";
import { holdSignals } from "../host/held-signals.ts";
import { launchInit } from "../host/launch.ts";
import { readLsm } from "../host/lsm.ts";
import { converse, endInit, type Patience } from "../host/patience.ts";
import { writePidFile } from "../host/pid-file.ts";
import { connectPidfdSocket, sendPidfd } from "../host/pidfd-socket.ts";
import { openPoller } from "../host/poller.ts";
import { readPrivilege } from "../host/privilege.ts";
import { readArchitecture } from "../host/probe.ts";
import { writeProcFile } from "../host/proc-file.ts";
import { exitStatus } from "../host/process.ts";
import { joinResctrl } from "../host/resctrl.ts";
import { raiseRlimits } from "../host/rlimits.ts";
import { loadFilter } from "../host/seccomp.ts";
import { closeSession, discussPlan, openSession, type Session } from "../host/session.ts";
import { openPidfd, openProcess } from "../host/signal.ts";
import { attachToUnit } from "../host/systemd.ts";
import { type AttachedTerminal, attachTerminal, type SignalSource } from "../host/terminal.ts";
import { tellSource } from "../plan/print.ts";
import type { HostStep, InitStep } from "../plan/step.ts";
import { keepsGroups } from "../spec/annotations.ts";
import { type Process, parseConfig, type RunnableConfig } from "../spec/config.ts";
import { describeProcess } from "./exec-process.ts";
import type { ExecOptions } from "./options.ts";
import { containerEnv } from "./prepare.ts";
import { type ContainerRecord, containerPaths } from "./record.ts";
import { findListenerTaker } from "./seccomp-agent.ts";
import { computeStatus, hasLiveProcess } from "./status.ts";
import { readRecord } from "./store.ts";

/** Runs a process in a container; gives its exit status as `runContainer` does (0 when detached). */
export async function execContainer(
  ctx: Context,
  options: ExecOptions,
  signals: SignalSource,
): Promise<number> {
  const record = readRecord(ctx, options.id);
  const status = computeStatus(ctx, record);
  if (status === "stopped" || status === "creating") throw new TsruncError(phrases.execStopped);
  if (status === "paused" && !options.ignorePaused) throw new TsruncError(phrases.execPaused);
  const config = parseConfig(readFileSync(containerPaths(ctx.root, record.id).config, "utf8"), {
    requireProcess: true,
  });
  const process = describeProcess(ctx, config, options);
  checkConsole(process, options);
  checkLabels(process, readLsm());
  return options.detach
    ? execDetached(ctx, record, config, process, options)
    : execForeground(ctx, record, config, process, options, signals);
}

function checkConsole(process: Process, options: ExecOptions): void {
  if (options.detach && process.terminal && options.consoleSocket === undefined)
    throw new TsruncError("cannot allocate tty if tsrunc will detach without setting console socket");
  if (options.consoleSocket !== undefined && !(options.detach && process.terminal))
    throw new TsruncError("cannot use console socket if tsrunc will not detach or allocate tty");
}

async function execDetached(
  ctx: Context,
  record: ContainerRecord,
  config: RunnableConfig,
  process: Process,
  options: ExecOptions,
): Promise<number> {
  const libc = loadLibc(ctx.installDir);
  const socket =
    options.consoleSocket === undefined
      ? undefined
      : connectConsoleSocket(ctx, resolve(ctx.cwd, options.consoleSocket));
  try {
    await startExec(ctx, record, config, process, options, { consoleSocket: socket });
    return 0;
  } finally {
    if (socket !== undefined) closeFd(libc, socket);
  }
}

async function execForeground(
  ctx: Context,
  record: ContainerRecord,
  config: RunnableConfig,
  process: Process,
  options: ExecOptions,
  signals: SignalSource,
): Promise<number> {
  const libc = loadLibc(ctx.installDir);
  const pair = process.terminal ? openConsolePair(libc) : undefined;
  const poller = openPoller(libc, (error) => ctx.log.error(error.message));
  let terminal: AttachedTerminal | undefined;
  let pidfd: number | undefined;
  const held = holdSignals(libc, signals, { terminal: process.terminal === true });
  try {
    // Before its first instruction: the terminal has the caller's size, and adds no carriage returns.
    const beforeStart = (): void => {
      if (pair) terminal = attachTerminal(ctx, receiveMaster(libc, pair.host), { poller, signals });
    };
    const check = (): void => {
      const signal = held.findEnding();
      if (signal !== undefined) throw new TsruncError(`SIG${signal} came before the process ran`);
    };
    const caller = { consoleSocket: pair?.init, beforeStart, check };
    const pid = await startExec(ctx, record, config, process, options, caller);
    pidfd = openPidfd(libc, pid);
    if (pidfd === undefined) throw new TsruncError(`process ${pid} is gone`);
    held.forward(pidfd, poller, (error) => ctx.log.warn(messageOf(error)));
    const status = exitStatus(await waitForExit(libc, poller, pid, pidfd));
    await terminal?.done();
    return status;
  } finally {
    held.release();
    terminal?.close();
    poller.close();
    if (pidfd !== undefined) closeFd(libc, pidfd);
    if (pair) {
      closeFd(libc, pair.host);
      closeFd(libc, pair.init);
    }
  }
}

/** What was asked for is joined or refused; else the container's cgroup, or where its first process went. */
function findCgroupJoin({ cgroup, pid }: ContainerRecord, sub: readonly string[]): CgroupJoin | undefined {
  if (cgroup === null) {
    if (sub.length > 0) throw new TsruncError("--cgroup: the container has no cgroup");
    return undefined;
  }
  return sub.length === 0 ? findSelfJoin(cgroup, pid) : planSelfJoin(placeSubCgroup(cgroup, sub));
}

interface ExecCaller {
  readonly consoleSocket?: number | undefined;
  /** Called when everything but the process's execution is done. */
  readonly beforeStart?: () => void;
  /** See {@link Patience}. */
  readonly check?: Patience["check"];
}

/** Makes the process run; gives its pid on the host, a child of this process. In a frozen container it waits. */
async function startExec(
  ctx: Context,
  record: ContainerRecord,
  config: RunnableConfig,
  process: Process,
  options: ExecOptions,
  { consoleSocket, beforeStart = () => {}, check = () => {} }: ExecCaller,
): Promise<number> {
  const libc = loadLibc(ctx.installDir);
  const pidfd = openProcess(libc, record.pid, record.startTime);
  if (pidfd === undefined) throw new TsruncError(phrases.execStopped);
  const isHeldUp = (): boolean => record.cgroup !== null && isFrozen(record.cgroup);
  const patience = { isHeldUp, check };
  let session: Session | undefined;
  let receiver: number | undefined;
  try {
    if (options.pidfdSocket !== undefined) receiver = connectPidfdSocket(ctx, options.pidfdSocket);
    const namespaces = findOtherNamespaces(record.pid);
    // Its number may be another process's by now, whose namespaces are perhaps the host's.
    if (!hasLiveProcess(record)) throw new TsruncError(phrases.execStopped);
    const keepFds = ctx.inheritedFds.filter((fd) => fd < 3 + options.preserveFds);
    const pass = [pidfd, ...(consoleSocket === undefined ? [] : [consoleSocket]), ...keepFds];
    const opened = openSession(launchInit(ctx, { stdio: ctx.stdio, pass }), readArchitecture());
    session = opened;
    const cgroup = findCgroupJoin(record, options.cgroup);
    const unit = record.cgroup ? findUserUnit(record.cgroup) : undefined;
    if (unit && record.cgroup && cgroup)
      attachToUnit(ctx, unit, opened.init.launcherPid, innerPath(record.cgroup, cgroup));
    const compiled = compileExec(config, process, {
      id: record.id,
      container: { pid: record.pid, pidfd, namespaces },
      lsm: readLsm(),
      cgroup,
      consoleSocket,
      hasResctrl: record.resctrl !== undefined,
    });
    const plan = discussPlan(opened, compiled.plan, (step) => perform(opened, step, record));
    await converse(opened, plan, patience);
    if (receiver !== undefined) sendPidfd(libc, receiver, opened.pid, "setns");
    const passwd = compiled.passwd && opened.outputs.get(compiled.passwd);
    const env = containerEnv({ env: {} }, { process }, passwd);
    const { sets, warning } = resolveCapabilities(
      process.capabilities,
      grantableCapabilities(config, readPrivilege(ctx)),
    );
    if (warning !== undefined) ctx.log.warn(warning);
    beforeStart();
    const profile = config.linux?.seccomp; // an exec's own process has none (config.md "Process")
    const { arch, init } = opened;
    const start = compileExecStart({
      process,
      capabilities: sets,
      env,
      keepFds,
      nofile: ctx.callerNofile,
      seccomp: profile && loadFilter(ctx, profile, arch),
      socket: init.initSocket,
      keepsGroups: keepsGroups(config),
    });
    const taker = findListenerTaker(ctx, record, () => opened.pid);
    await converse(opened, discussExecution(opened, start.steps as InitStep[], taker), patience);
    if (options.pidFile !== undefined) writePidFile(ctx, options.pidFile, opened.pid);
    closeSession(opened);
    return opened.pid;
  } catch (error) {
    if (session) endInit(session, isHeldUp);
    throw error;
  } finally {
    if (receiver !== undefined) closeFd(libc, receiver);
    closeFd(libc, pidfd);
  }
}

function perform(session: Session, step: HostStep, record: ContainerRecord): void {
  const { action } = step;
  switch (action.do) {
    case "write-proc":
      writeProcFile(session.init.launcherPid, action.file, action.value, tellSource(step.source));
      return;
    case "raise-rlimits":
      raiseRlimits(session.init.libc, session.pid, action.limits);
      return;
    case "record-process":
      return; // an exec is in no record
    case "join-resctrl":
      if (record.resctrl) joinResctrl(record.resctrl, session.pid);
      return;
    default:
      throw new Error(`an exec has no ${action.do}`);
  }
}
