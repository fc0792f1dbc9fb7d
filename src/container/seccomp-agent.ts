// The agent that answers system calls of a container ("The Container Process State" in config-linux.md).
import { resolve } from "node:path";
import { loadLibc } from "../../native-bindings/libc.ts";
import { notifies } from "../compile/seccomp.ts";
import type { Context } from "../context.ts";
import { TsruncError } from "../errors.ts";
import { closeFd } from "../host/fd.ts";
import { handOverListener } from "../host/seccomp-listener.ts";
import { openPidfd, openProcess } from "../host/signal.ts";
import { seccompReceiver } from "../spec/annotations.ts";
import type { Config } from "../spec/config.ts";
import { type ContainerProcessState, SPEC_VERSION } from "../spec/state.ts";
import type { ContainerRecord, SeccompAgent } from "./record.ts";
import { computeStatus } from "./status.ts";

/** The agent of a config's profile; null if it has nothing to answer. A relative path counts from the bundle, as in runc. */
export function describeAgent(config: Config, bundle: string): SeccompAgent | null {
  const profile = config.linux?.seccomp;
  const path = profile?.listenerPath ?? seccompReceiver(config);
  if (profile === undefined || path === undefined || !notifies(profile)) return null;
  return { path: resolve(bundle, path), metadata: profile.listenerMetadata };
}

/**
 * Sends the listener, descriptor `fd` of the container's init, to the agent; with `execPid`, that of an exec's init,
 * a child of this process. Throws TsruncError; the init then ends.
 */
export function sendListener(ctx: Context, record: ContainerRecord, fd: number, execPid?: number): void {
  const agent = record.seccompAgent;
  if (!agent) throw new Error("init told a listener that nobody asked for");
  const libc = loadLibc(ctx.installDir);
  const pidfd =
    execPid === undefined ? openProcess(libc, record.pid, record.startTime) : openPidfd(libc, execPid);
  if (pidfd === undefined) throw new TsruncError("the container's init process ended");
  try {
    const state = JSON.stringify(describeProcess(ctx, record, agent, execPid ?? record.pid));
    handOverListener(libc, pidfd, fd, { path: agent.path, state });
  } finally {
    closeFd(libc, pidfd);
  }
}

function describeProcess(
  ctx: Context,
  record: ContainerRecord,
  { metadata }: SeccompAgent,
  pid: number,
): ContainerProcessState {
  return {
    ociVersion: SPEC_VERSION,
    fds: ["seccompFd"],
    pid,
    ...(metadata === undefined ? {} : { metadata }),
    state: {
      ociVersion: SPEC_VERSION,
      id: record.id,
      // `start` has begun, but nothing of the program has run.
      status: pid === record.pid ? "created" : computeStatus(ctx, record),
      pid: record.pid,
      bundle: record.bundle,
      ...(Object.keys(record.annotations).length > 0 ? { annotations: record.annotations } : {}),
    },
  };
}
