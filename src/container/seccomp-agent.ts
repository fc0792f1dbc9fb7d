// The agent that answers system calls of a container ("The Container Process State" in config-linux.md).
import { resolve } from "node:path";
import { loadLibc } from "../../native-bindings/libc.ts";
import { notifies } from "../compile/seccomp.ts";
import type { Context } from "../context.ts";
import { handOverListener, type TakeListener } from "../host/seccomp-listener.ts";
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
 * What sends the listener of the container's process, or of an exec's, to the agent; undefined for a container
 * without one. `readPid` tells the process's pid on the host. The result throws TsruncError; the init then ends.
 */
export function findListenerTaker(
  ctx: Context,
  record: ContainerRecord,
  readPid: () => number,
): TakeListener | undefined {
  const agent = record.seccompAgent;
  if (!agent) return undefined;
  return (fds) => {
    const state = JSON.stringify(describeProcess(ctx, record, agent, readPid()));
    handOverListener(loadLibc(ctx.installDir), fds, { path: agent.path, state });
  };
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
