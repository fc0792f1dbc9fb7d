import type { Context } from "../context.ts";
import type { PlanBuilder } from "../plan/build.ts";
import type { HookKind } from "../plan/host-action.ts";

export interface HookCommand {
  readonly path: string;
  readonly args?: readonly string[] | undefined;
  readonly env?: readonly string[] | undefined;
  readonly timeout?: number | undefined;
}

export interface HookOptions {
  /** JSON for the hook's stdin. */
  readonly state: string;
  /** Directory in which it runs; in the container for hooks in the container's namespaces. */
  readonly cwd: string;
  /** Run in all namespaces of this process, which must not be reaped meanwhile. */
  readonly containerPid?: number;
  /** Steps before execve: user, capabilities. */
  readonly enter?: (p: PlanBuilder) => void;
  /** Descriptors that get the output; captured for the error otherwise. */
  readonly stdout?: number;
  readonly stderr?: number;
}

export function runHooks(
  _ctx: Context,
  _kind: HookKind,
  _hooks: readonly HookCommand[] | undefined,
  _options: HookOptions,
): void {
  throw new Error("in work");
}
