// A container's status: not stored, but seen from its process, its start socket and its cgroup.
import { existsSync } from "node:fs";
import { isFrozen } from "../cgroup/freezer.ts";
import type { Context } from "../context.ts";
import { isProcessAlive } from "../host/process-stat.ts";
import type { Status } from "../spec/state.ts";
import { type ContainerRecord, containerPaths } from "./record.ts";

/** Whether the container's first process lives. A zombie does not, nor does a later process with its number. */
export function hasLiveProcess(record: ContainerRecord): boolean {
  return isProcessAlive(record.pid, record.startTime);
}

/**
 * The status of a container at this moment. `creating` also when its `create` was killed before it made the first
 * process: only `delete --force` takes such a container away.
 */
export function computeStatus(ctx: Pick<Context, "root">, record: ContainerRecord): Status {
  if (record.pid === 0) return "creating";
  if (!hasLiveProcess(record)) return "stopped";
  if (record.phase === "creating") return "creating";
  if (record.cgroup !== null && isFrozen(record.cgroup)) return "paused";
  // `start` unlinks the socket before it lets the process go.
  return existsSync(containerPaths(ctx.root, record.id).startSocket) ? "created" : "running";
}
