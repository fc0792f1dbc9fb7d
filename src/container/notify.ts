// The container's end of sd_notify(3), as runc has it: a directory of the container's state is mounted on /run/notify,
// where `start` opens the socket.
import { chmodSync, existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { loadLibc } from "../../native-bindings/libc.ts";
import type { Context } from "../context.ts";
import { SyscallError } from "../errors.ts";
import { type NotifyProxy, openNotifyProxy } from "../host/sd-notify.ts";
import { openProcess } from "../host/signal.ts";
import type { RunnableConfig } from "../spec/config.ts";
import { type ContainerRecord, containerPaths } from "./record.ts";
import { describeFsError } from "./store.ts";

const ENOENT = 2;
const ECONNREFUSED = 111;
const NAME = "notify.sock";
const DESTINATION = "/run/notify";
/** What the container's process finds in its environment. */
export const NOTIFY_VARIABLE: string = `NOTIFY_SOCKET=${DESTINATION}/${NAME}`;

/** The config with the mount, if the caller is a service that is to tell when it is up. */
export function addNotifyMount(ctx: Context, id: string, config: RunnableConfig): RunnableConfig {
  if (!ctx.env.NOTIFY_SOCKET) return config;
  const mount = {
    destination: DESTINATION,
    source: containerPaths(ctx.root, id).notify,
    options: ["bind", "nosuid", "noexec", "nodev", "ro"],
  };
  return { ...config, mounts: [...(config.mounts ?? []), mount] };
}

/** Makes what is mounted there. Throws TsruncError. */
export function makeNotifyDirectory(ctx: Context, id: string): void {
  if (!ctx.env.NOTIFY_SOCKET) return;
  const { notify } = containerPaths(ctx.root, id);
  try {
    mkdirSync(notify);
    chmodSync(notify, 0o755); // whatever the umask: the container's user looks into it
  } catch (error) {
    throw describeFsError("make the directory of NOTIFY_SOCKET", error);
  }
}

/** For a container that was created for a service, by a service. Throws SyscallError. */
export function openProxy(ctx: Context, { id }: ContainerRecord): NotifyProxy | undefined {
  const host = ctx.env.NOTIFY_SOCKET;
  const { notify } = containerPaths(ctx.root, id);
  if (!host || !existsSync(notify)) return undefined;
  try {
    return openNotifyProxy(loadLibc(ctx.installDir), join(notify, NAME), host);
  } catch (error) {
    // The variable outlives the service manager's socket, for example in a chroot.
    if (!(error instanceof SyscallError) || ![ENOENT, ECONNREFUSED].includes(error.errno)) throw error;
    ctx.log.warn(`${error.message}: nobody is told when the container is ready`);
    return undefined;
  }
}

/** Waits until the container is ready or its process has ended, however long that takes. */
export function waitUntilReady(ctx: Context, { pid, startTime }: ContainerRecord, proxy: NotifyProxy): void {
  const libc = loadLibc(ctx.installDir);
  const pidfd = openProcess(libc, pid, startTime);
  if (pidfd === undefined) return; // it has ended already
  try {
    proxy.waitReady(pidfd, pid, (message) => ctx.log.warn(message));
  } finally {
    libc.close(pidfd);
  }
}
