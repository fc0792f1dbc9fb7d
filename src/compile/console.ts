import type { PlanBuilder } from "../plan/build.ts";

export interface ConsoleOptions {
  /** Descriptor in init of the console socket; closed after use. */
  readonly socket: number;
  /** Uid that gets the terminal. */
  readonly uid: number;
  readonly consoleSize?: { readonly height: number; readonly width: number } | undefined;
  /** Bind it on /dev/console: for a container's process, not for an exec. */
  readonly bindConsole: boolean;
}

/** After pivot_root (exec: after setns), as root of the container. Afterwards fds 0, 1, 2 and the controlling terminal are the pty. Calls setsid itself. */
export function openConsole(_p: PlanBuilder, _options: ConsoleOptions): void {
  throw new Error("in work");
}
