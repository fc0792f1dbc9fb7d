// The making of one container, up to an init that waits for `start`; an error undoes what exists so far.
import { resolve } from "node:path";
import { loadLibc } from "../../native-bindings/libc.ts";
import { planSelfJoin } from "../cgroup/self-join.ts";
import { compileContainer, compileStart } from "../compile/container.ts";
import { holdProcess } from "../compile/process.ts";
import type { Context } from "../context.ts";
import { messageOf, TsruncError } from "../errors.ts";
import { connectConsoleSocket } from "../host/console.ts";
import { closeFd } from "../host/fd.ts";
import { openIdNamespaces } from "../host/id-namespaces.ts";
import { sendAll } from "../host/init-socket.ts";
import { performInside } from "../host/inside.ts";
import { type Launched, launchInit } from "../host/launch.ts";
import { mapIds } from "../host/map-ids.ts";
import { type MovedDevices, moveNetDevices } from "../host/net-devices.ts";
import { writePidFile } from "../host/pid-file.ts";
import { connectPidfdSocket, sendPidfd } from "../host/pidfd-socket.ts";
import { writeProcFile } from "../host/proc-file.ts";
import { readProcessStat } from "../host/process-stat.ts";
import { createResctrl, joinResctrl } from "../host/resctrl.ts";
import { raiseRlimits } from "../host/rlimits.ts";
import { loadFilter } from "../host/seccomp.ts";
import {
  beginPlan,
  closeSession,
  encodeSteps,
  openSession,
  type Session,
  takeAnswer,
} from "../host/session.ts";
import { openStartSocket } from "../host/start-socket.ts";
import { PlanBuilder } from "../plan/build.ts";
import { describeSteps, tellSource } from "../plan/print.ts";
import type { HostStep, InitStep, Plan } from "../plan/step.ts";
import { adoptLauncher, limitProcesses, openCgroup } from "./cgroup.ts";
import { runCreateHooks } from "./create-hooks.ts";
import { destroyContainer, runPoststop } from "./delete.ts";
import { makeNotifyDirectory } from "./notify.ts";
import { containerEnv, firstRecord, type Prepared } from "./prepare.ts";
import { type ContainerRecord, containerPaths } from "./record.ts";
import { writeRecord, writeStateFile } from "./store.ts";

export interface MakeExtras {
  /** The terminal's receiver as an open descriptor, instead of `--console-socket`. */
  readonly console?: number | undefined;
  /** See {@link Session}: for tests. */
  readonly injectFailure?: Session["injectFailure"];
}

/**
 * Makes a container, for a caller that holds its lock. Throws TsruncError and ConfigError; after an error nothing of the
 * container is left.
 */
export async function makeContainer(
  ctx: Context,
  prepared: Prepared,
  extras: MakeExtras,
): Promise<ContainerRecord> {
  const made = new Made(ctx, prepared);
  try {
    return made.make(extras);
  } catch (error) {
    await made.undo();
    throw error;
  } finally {
    made.close();
  }
}

/** One container in the making: what exists so far, so that an error can undo it. */
class Made {
  readonly #ctx: Context;
  readonly #prepared: Prepared;
  #record: ContainerRecord;
  #session: Session | undefined;
  #fds: number[] = [];
  #init: Launched | undefined;
  #devices: MovedDevices | undefined;
  #undoResctrl: (() => void) | undefined;
  #hasRunHooks = false;

  constructor(ctx: Context, prepared: Prepared) {
    this.#ctx = ctx;
    this.#prepared = prepared;
    this.#record = firstRecord(ctx, prepared);
  }

  make({ console, injectFailure }: MakeExtras): ContainerRecord {
    const { options, config, facts, cgroup, resctrl, keepFds, text } = this.#prepared;
    const ctx = this.#ctx;
    const paths = containerPaths(ctx.root, options.id);
    writeRecord(ctx, this.#record);
    const profile = config.linux?.seccomp;
    const seccomp = profile && loadFilter(ctx, profile, facts.arch);
    writeStateFile(paths.config, text);
    makeNotifyDirectory(ctx, options.id);
    ctx.log.debug("the state directory is made and locked");
    if (openCgroup(ctx, cgroup)) this.#takeCgroup();
    ctx.log.debug("the cgroup is made");
    if (resctrl) {
      this.#undoResctrl = createResctrl(resctrl);
      // Not before: what is in its place may be another container's.
      this.#record = { ...this.#record, resctrl: resctrl.record };
      writeRecord(ctx, this.#record);
    }
    const startSocket = openStartSocket(ctx, paths.dir);
    this.#fds.push(startSocket);
    let consoleSocket = console;
    if (consoleSocket === undefined && options.consoleSocket !== undefined) {
      consoleSocket = connectConsoleSocket(ctx, resolve(ctx.cwd, options.consoleSocket));
      this.#fds.push(consoleSocket);
    }
    const { pidfdSocket } = options;
    const receiver = pidfdSocket === undefined ? undefined : connectPidfdSocket(ctx, pidfdSocket);
    if (receiver !== undefined) this.#fds.push(receiver);
    const idNamespaces = openIdNamespaces(ctx, loadLibc(ctx.installDir), config);
    this.#fds.push(...idNamespaces.values());
    const sockets = [startSocket, ...(consoleSocket === undefined ? [] : [consoleSocket])];
    const pass = [...sockets, ...idNamespaces.values(), ...keepFds];
    this.#init = launchInit(ctx, { stdio: ctx.stdio, pass });
    if (adoptLauncher(ctx, cgroup, this.#init.launcherPid)) this.#takeCgroup();
    ctx.log.debug(`init is launched as process ${this.#init.launcherPid}`);
    const session = openSession(this.#init, facts.arch, injectFailure);
    this.#session = session;
    const { id, noPivot, noNewKeyring } = options;
    const join = planSelfJoin(cgroup.record);
    const perform = (step: HostStep): void => this.#perform(session, step);
    const planOptions = { id, noPivot, noNewKeyring, consoleSocket, cgroup: join, idNamespaces };
    let next = 0;
    const begin = (plan: Plan): void => {
      next = beginPlan(session, plan, perform, next);
    };
    const compiled = compileContainer(config, facts, planOptions, begin);
    ctx.log.debug(`the plan is compiled: ${compiled.plan.steps.length} steps`);
    begin(compiled.plan);
    // While init does the last of it.
    const passwd = compiled.passwd && session.outputs.get(compiled.passwd);
    const env = containerEnv(ctx, config, passwd);
    const plan = { env, keepFds, nofile: ctx.callerNofile, seccomp, socket: startSocket };
    const start = compileStart(config, facts, plan).steps as InitStep[];
    const batch = encodeSteps(session, start, 0);
    writeStateFile(paths.startBatch, batch.bytes);
    writeStateFile(paths.startSteps, JSON.stringify(describeSteps(start, batch.planIndex)));
    takeAnswer(session);
    ctx.log.debug(`the container is set up, its first process is ${session.pid}`);
    this.#hold(session, startSocket);
    if (receiver !== undefined) sendPidfd(session.init.libc, receiver, this.#record.pid, "standard");
    if (options.pidFile !== undefined) writePidFile(ctx, options.pidFile, this.#record.pid);
    this.#record = { ...this.#record, phase: "created" };
    writeRecord(ctx, this.#record);
    ctx.log.debug("init waits for start");
    return this.#record;
  }

  #takeCgroup(): void {
    this.#record = { ...this.#record, ownsCgroup: true };
    writeRecord(this.#ctx, this.#record);
  }

  #hold(session: Session, startSocket: number): void {
    const p = new PlanBuilder();
    holdProcess(p, startSocket, this.#prepared.keepFds);
    sendAll(session, encodeSteps(session, p.build().steps as InitStep[], 0).bytes);
  }

  #perform(session: Session, step: HostStep): void {
    const { action } = step;
    const { libc, launcherPid } = session.init;
    switch (action.do) {
      case "write-proc":
        writeProcFile(
          action.of === "launcher" ? launcherPid : session.pid,
          action.file,
          action.value,
          tellSource(step.source),
        );
        return;
      case "map-ids":
        mapIds(this.#ctx, launcherPid, action);
        return;
      case "record-process": {
        const startTime = readProcessStat(session.pid)?.startTime;
        if (startTime === undefined) throw new TsruncError("the container's init process ended");
        this.#record = { ...this.#record, pid: session.pid, startTime };
        writeRecord(this.#ctx, this.#record);
        return;
      }
      case "join-resctrl":
        if (this.#record.resctrl) joinResctrl(this.#record.resctrl, session.pid);
        return;
      case "write-late-limits":
        limitProcesses(this.#ctx, this.#prepared.cgroup);
        return;
      case "raise-rlimits":
        raiseRlimits(libc, session.pid, action.limits);
        return;
      case "move-net-devices": {
        const socket = Number(session.results.get(action.socket));
        this.#devices = moveNetDevices(libc, { pid: session.pid, socket }, action.devices);
        return;
      }
      case "copy-up":
      case "make-path":
        performInside(session, action, step.source);
        return;
      case "run-hooks":
        this.#hasRunHooks = true;
        runCreateHooks(this.#ctx, this.#prepared, { record: this.#record, pid: session.pid }, action);
        return;
    }
  }

  /** Removes everything that was made; what cannot be removed is told, and found by `delete --force`. */
  async undo(): Promise<void> {
    try {
      this.#learnPid();
      // While their namespace is there: virtual devices end with it.
      for (const problem of this.#devices?.giveBack() ?? []) this.#ctx.log.warn(problem);
      if (this.#session) closeSession(this.#session); // init ends
      const pid = this.#session?.pid || this.#init?.launcherPid;
      if (this.#init && pid) this.#init.libc.kill(pid, 9);
      const { resctrl: _, ...record } = this.#record;
      await destroyContainer(this.#ctx, record.ownsCgroup ? record : { ...record, cgroup: null });
      this.#undoResctrl?.();
      // What hooks have set up is theirs to take down (runtime.md, "Lifecycle": a failure goes on with step 12).
      if (this.#hasRunHooks) await runPoststop(this.#ctx, record);
    } catch (error) {
      this.#ctx.log.warn(`clean up after a failed create: ${messageOf(error)}`);
    }
    if (this.#init && !this.#session?.pid) this.#init.libc.waitpid(this.#init.launcherPid, null, 0);
    if (this.#init && this.#session?.pid) this.#init.libc.waitpid(this.#session.pid, null, 0);
    this.#session = undefined;
  }

  /** The container's process may have been made by a batch whose answer was not waited for. */
  #learnPid(): void {
    try {
      if (this.#session) takeAnswer(this.#session);
    } catch (error) {
      if (!(error instanceof TsruncError)) throw error; // a failed step: the error that led here is told
    }
  }

  close(): void {
    if (this.#session) closeSession(this.#session);
    this.#devices?.close();
    for (const fd of this.#fds) closeFd(loadLibc(this.#ctx.installDir), fd);
  }
}
