// The hooks of `create`: prestart, createRuntime, createContainer.
import { findUserUnit, planSelfJoin } from "../cgroup/self-join.ts";
import type { Context } from "../context.ts";
import { runHooks } from "../host/hooks.ts";
import type { HostAction } from "../plan/host-action.ts";
import type { Prepared } from "./prepare.ts";
import type { ContainerRecord } from "./record.ts";
import { describeState } from "./state.ts";

/** Runs the hooks of one kind. `made.pid`: the container's first process, on the host. Throws TsruncError. */
export function runCreateHooks(
  ctx: Context,
  { config, facts, cgroup }: Prepared,
  made: { readonly record: ContainerRecord; readonly pid: number },
  { kind, inContainer }: Extract<HostAction, { do: "run-hooks" }>,
): void {
  // prestart hooks belong to `start` in the spec's words, where the container is `created`.
  const status = kind === "prestart" ? "created" : "creating";
  const pid = inContainer && made.record.hasOwnPidNamespace ? 1 : made.record.pid;
  const container = {
    pid: made.pid,
    startTime: made.record.startTime,
    cgroup: planSelfJoin(cgroup.record),
    unit: findUserUnit(cgroup.record),
  };
  runHooks(ctx, kind, config.hooks?.[kind], {
    state: JSON.stringify(describeState({ ...made.record, pid }, status)),
    cwd: inContainer ? facts.rootfs : facts.bundle,
    ...(inContainer ? { container } : {}),
  });
}
