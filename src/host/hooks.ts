// Hooks (config.md, "POSIX-platform Hooks"): each is executed by an init of its own, which has no descriptor, signal
// disposition or environment variable of this process.
import { loadLibc } from "../../native-bindings/libc.ts";
import type { UnitRecord } from "../cgroup/types.ts";
import { type CgroupJoin, joinCgroups } from "../compile/cgroup-join.ts";
import { enterNamespaces } from "../compile/enter.ts";
import { setNotDumpable } from "../compile/namespaces.ts";
import type { Context } from "../context.ts";
import { TsruncError } from "../errors.ts";
import { AT_FDCWD, openFlags, openHow, PlanBuilder } from "../plan/build.ts";
import type { HookKind } from "../plan/host-action.ts";
import type { InitStep, NumberArg } from "../plan/step.ts";
import { findOtherNamespaces } from "./container-namespaces.ts";
import { closeFd } from "./fd.ts";
import { type Launched, launchInit } from "./launch.ts";
import { openPipe } from "./pipe.ts";
import { readArchitecture } from "./probe.ts";
import { reapChild } from "./process.ts";
import { isProcessAlive } from "./process-stat.ts";
import { openSession } from "./session.ts";
import { openProcess } from "./signal.ts";
import { openStandIn, type StandIn } from "./stand-in.ts";
import { describeHookEnd, superviseHook } from "./supervise-hook.ts";
import { attachToUnit } from "./systemd.ts";

// Ends what hooks have started; here, so that those who kill a container load one chunk more for it, and no further one.
export { listTree, signalTree } from "./kill-tree.ts";

const CLOSE_RANGE_CLOEXEC: NumberArg = { kind: "number", value: 4, text: "CLOSE_RANGE_CLOEXEC" };
const RESOLVE_NO_MAGICLINKS = 0x02;
const ENDED = "the container's process has ended";

/** A hook as in config.json; `timeout` is in seconds. */
export interface HookCommand {
  readonly path: string;
  readonly args?: readonly string[] | undefined;
  readonly env?: readonly string[] | undefined;
  readonly timeout?: number | undefined;
}

export interface HookOptions {
  /** JSON for the hook's stdin. */
  readonly state: string;
  /** Directory in which it runs; a path in the container for a hook in the container's namespaces. */
  readonly cwd: string;
  /** Run in all namespaces and the root of this process, and in the container's cgroup. */
  readonly container?: {
    readonly pid: number;
    /** See process-stat.ts. */
    readonly startTime: string;
    readonly cgroup?: CgroupJoin | undefined;
    /** That of the container, where only systemd can put a process into it. */
    readonly unit?: UnitRecord | undefined;
  };
  /** Steps before execve, in the container as its root: user, capabilities, seccomp. */
  readonly enter?: (p: PlanBuilder) => void;
  /** Descriptors that get the output; without them, its end goes into the error of a hook that fails. */
  readonly stdout?: number;
  readonly stderr?: number;
}

/**
 * Runs hooks one after the other, each until it ends; a process that a hook leaves behind does not hold us. The
 * first failure is thrown as TsruncError, with runc's wording; of `poststop` hooks every one runs, and a failure is
 * a warning (runtime.md, "Lifecycle").
 */
export function runHooks(
  ctx: Context,
  kind: HookKind,
  hooks: readonly HookCommand[] | undefined,
  options: HookOptions,
): void {
  for (const [i, hook] of (hooks ?? []).entries()) {
    try {
      runProgram(ctx, hook, options);
    } catch (error) {
      if (!(error instanceof TsruncError)) throw error;
      const told = new TsruncError(`error running ${kind} hook #${i}: ${error.message}`);
      if (kind !== "poststop") throw told;
      ctx.log.warn(told.message);
    }
  }
}

/**
 * Runs a program of the host as a hook is run, until it ends; `state` is what it reads. Throws TsruncError with its end
 * and its output if that is not success.
 */
export function runProgram(ctx: Context, hook: HookCommand, options: HookOptions): void {
  const libc = loadLibc(ctx.installDir);
  const opened = new Set<number>();
  const keep = (fd: number): number => {
    opened.add(fd);
    return fd;
  };
  const release = (...fds: readonly number[]): void => {
    for (const fd of fds) if (opened.delete(fd)) closeFd(libc, fd);
  };
  const pipe = (): readonly [number, number] => {
    const [read, write] = openPipe(libc, "");
    return [keep(read), keep(write)];
  };
  let standIn: StandIn | undefined;
  try {
    standIn = openStandIn(ctx);
    const plan = planHook(hook, options, ({ pid, startTime }) => {
      const pidfd = openProcess(libc, pid, startTime);
      if (pidfd === undefined) throw new TsruncError(ENDED);
      return keep(pidfd);
    });
    const [stdin, input] = pipe();
    const [stdoutRead, stdout] = options.stdout === undefined ? pipe() : [-1, options.stdout];
    const [stderrRead, stderr] = options.stderr === undefined ? pipe() : [-1, options.stderr];
    const arch = readArchitecture();
    const init = launchInit(ctx, { stdio: [stdin, stdout, stderr], pass: plan.pass });
    keep(init.socket);
    const unit = options.container?.unit;
    if (unit) attachOrEnd(ctx, unit, init);
    release(stdin, stdout, stderr);
    const ended = superviseHook(openSession(init, arch), plan.steps, {
      input,
      state: new TextEncoder().encode(options.state),
      stdout: stdoutRead,
      stderr: stderrRead,
      standIn,
      timeoutMs: hook.timeout === undefined ? undefined : 1000 * hook.timeout,
      release,
    });
    const failure = describeHookEnd(ended);
    if (failure !== undefined) throw new TsruncError(failure);
  } finally {
    standIn?.close();
    release(...opened);
  }
}

function attachOrEnd(ctx: Context, unit: UnitRecord, { libc, launcherPid }: Launched): void {
  try {
    attachToUnit(ctx, unit, launcherPid);
  } catch (error) {
    libc.kill(launcherPid, 9);
    reapChild(libc, launcherPid);
    throw error;
  }
}

interface HookPlan {
  readonly steps: readonly InitStep[];
  /** Descriptors that init needs. */
  readonly pass: readonly number[];
}

type HookContainer = NonNullable<HookOptions["container"]>;

function planHook(
  hook: HookCommand,
  options: HookOptions,
  openContainer: (container: HookContainer) => number,
): HookPlan {
  const p = new PlanBuilder();
  const pass: number[] = [];
  if (options.container) {
    const pidfd = openContainer(options.container);
    pass.push(pidfd);
    joinContainer(p, pidfd, options.container);
  }
  // A session of its own: it cannot reach the caller's terminal, and can be killed as a whole.
  p.call("setsid", []);
  const failure = `chdir ${options.cwd}`;
  if (!options.container) {
    p.call("chdir", [options.cwd], { failure, failureWithErrno: true });
  } else {
    const how = openHow(openFlags("O_PATH", "O_DIRECTORY", "O_CLOEXEC"), RESOLVE_NO_MAGICLINKS);
    const cwd = p.call("openat2", [AT_FDCWD, options.cwd, how, 24], { failure, failureWithErrno: true });
    p.call("fchdir", [cwd], { failure, failureWithErrno: true });
  }
  p.call("close_range", [3, 0xffffffff, CLOSE_RANGE_CLOEXEC]);
  options.enter?.(p); // a seccomp filter may be part of it: nothing but execve follows
  const args = hook.args === undefined || hook.args.length === 0 ? [hook.path] : hook.args;
  const strings = (values: readonly string[]) => ({ kind: "strings", values }) as const;
  p.call("execve", [hook.path, strings(args), strings(hook.env ?? [])], {
    failure: `fork/exec ${hook.path}`,
    failureWithErrno: true,
  });
  return { steps: p.build().steps as InitStep[], pass };
}

/** Into all namespaces of the container's process; a pid namespace takes a fork. */
function joinContainer(p: PlanBuilder, pidfd: number, { pid, startTime, cgroup }: HookContainer): void {
  const namespaces = findOtherNamespaces(pid);
  if (!isProcessAlive(pid, startTime)) throw new TsruncError(ENDED); // or they were another process's
  const joined = cgroup && joinCgroups(p, cgroup, namespaces.includes("user"));
  // A process of the container must not trace this one, or open its descriptors (CVE-2016-9962).
  p.at("", "join the container's namespaces", () => setNotDumpable(p));
  enterNamespaces(p, { pid, pidfd, namespaces }, joined);
}
