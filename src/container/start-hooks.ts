// startContainer hooks: loaded only for a container that has some.
import { readFileSync } from "node:fs";
import { findUserUnit, planSelfJoin } from "../cgroup/self-join.ts";
import { grantableCapabilities } from "../compile/container.ts";
import { resolveCapabilities } from "../compile/identity.ts";
import { becomeHook } from "../compile/process.ts";
import type { Context } from "../context.ts";
import { runHooks } from "../host/hooks.ts";
import { readPrivilege } from "../host/privilege.ts";
import { readArchitecture } from "../host/probe.ts";
import { loadFilter } from "../host/seccomp.ts";
import { parseConfig } from "../spec/config.ts";
import { stopContainer } from "./delete.ts";
import { type ContainerRecord, containerPaths } from "./record.ts";
import { describeState } from "./state.ts";

/**
 * In the container's namespaces, as the user, with the capabilities and under the seccomp filter of its process. A
 * failure stops the container. Throws TsruncError.
 */
export async function runStartContainerHooks(ctx: Context, record: ContainerRecord): Promise<void> {
  const text = readFileSync(containerPaths(ctx.root, record.id).config, "utf8");
  const config = parseConfig(text, { requireProcess: true });
  const { sets } = resolveCapabilities(
    config.process.capabilities,
    grantableCapabilities(config, readPrivilege(ctx)),
  );
  const profile = config.linux?.seccomp;
  const seccomp = profile && loadFilter(ctx, profile, readArchitecture());
  const pid = record.hasOwnPidNamespace ? 1 : record.pid;
  try {
    runHooks(ctx, "startContainer", record.hooks.startContainer, {
      state: JSON.stringify(describeState({ ...record, pid }, "created")),
      cwd: "/",
      container: {
        pid: record.pid,
        startTime: record.startTime,
        cgroup: record.cgroup ? planSelfJoin(record.cgroup) : undefined,
        unit: record.cgroup ? findUserUnit(record.cgroup) : undefined,
      },
      enter: (p) => becomeHook(p, config, sets, seccomp),
    });
  } catch (error) {
    await stopContainer(ctx, record);
    throw error;
  }
}
