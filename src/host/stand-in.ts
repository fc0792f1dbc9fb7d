// The keys of the caller's terminal (^C, ^\) are for everything that runs in its foreground, hooks too. But a hook leads a
// session of its own, where they do not reach it, and this process cannot look after its signals while it watches over one.
// So an init without work stays in this process's group in the hook's place, and ends of such a signal: then the hook
// gets the same.
import type { Context } from "../context.ts";
import { messageOf } from "../errors.ts";
import { SIGKILL } from "../linux/signals.ts";
import { closeFd } from "./fd.ts";
import { type Launched, launchInit } from "./launch.ts";
import { reapChild } from "./process.ts";
import { readProcessStat } from "./process-stat.ts";

export interface StandIn {
  /** Readable when it has ended; -1 when it can no longer stand in. */
  readonly fd: () => number;
  /**
   * To be called then: the number of the signal that it has ended of, 0 for none and for what the caller ignores. Another
   * one takes its place.
   */
  readonly take: () => number;
  readonly close: () => void;
}

/** Undefined if this process has no controlling terminal. Throws SyscallError. */
export function openStandIn(ctx: Context): StandIn | undefined {
  if (!readProcessStat("self")?.terminal) return undefined;
  const launch = (): Launched => launchInit(ctx, { stdio: ctx.stdio, pass: [] });
  let init: Launched | undefined = launch();
  const reap = ({ libc, socket, launcherPid }: Launched): number => {
    closeFd(libc, socket);
    return reapChild(libc, launcherPid) ?? 0;
  };
  return {
    fd: () => init?.socket ?? -1,
    take: () => {
      if (!init) return 0;
      const ended = init;
      init = undefined;
      const signal = findSignal(reap(ended));
      if (signal === 0) return 0;
      try {
        init = launch();
      } catch (error) {
        ctx.log.warn(`signals no longer reach the hook: ${messageOf(error)}`);
      }
      return ctx.ignoredSignals?.has(signal) ? 0 : signal;
    },
    close: () => {
      if (!init) return;
      init.libc.kill(init.launcherPid, SIGKILL); // ^Z may have stopped it
      reap(init);
      init = undefined;
    },
  };
}

/** Init handles some signals, and exits as a shell tells of them. */
function findSignal(waitStatus: number): number {
  const signal = waitStatus & 0x7f;
  return signal === 0 ? Math.max(0, ((waitStatus >> 8) & 0xff) - 128) : signal;
}
