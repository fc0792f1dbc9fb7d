// `update --l3-cache-schema`, `--mem-bw-schema`: other schemas for a container that lives.
import { readFileSync } from "node:fs";
import { readCgroupPids } from "../cgroup/control.ts";
import type { Context } from "../context.ts";
import { phrases, TsruncError } from "../errors.ts";
import { parseMountInfo } from "../host/probe.ts";
import { createResctrl, findResctrl, joinResctrl, planResctrl, writeSchemata } from "../host/resctrl.ts";
import { withContainerLock } from "./lock.ts";
import { computeStatus } from "./status.ts";
import { readRecord, writeRecord } from "./store.ts";

export interface SchemaChange {
  readonly l3CacheSchema?: string | undefined;
  readonly memBwSchema?: string | undefined;
}

/**
 * Writes the schemas. A container that was made without linux.intelRdt gets a group of its own, with all of its
 * processes, as with runc. Throws TsruncError, ConfigError.
 */
export async function updateResctrl(ctx: Context, id: string, change: SchemaChange): Promise<void> {
  await withContainerLock(ctx, id, () => {
    const record = readRecord(ctx, id);
    const status = computeStatus(ctx, record);
    if (status === "stopped" || status === "creating") throw new TsruncError(phrases.notRunning);
    if (record.resctrl) {
      const lines = [change.l3CacheSchema, change.memBwSchema].filter((line) => line !== undefined);
      writeSchemata(record.resctrl, lines);
      return;
    }
    const root = findResctrl(parseMountInfo(readFileSync("/proc/self/mountinfo", "utf8")));
    const plan = planResctrl(change, id, root);
    const undo = createResctrl(plan);
    try {
      const pids = record.cgroup === null ? [] : readCgroupPids(record.cgroup);
      for (const pid of new Set([record.pid, ...pids])) joinResctrl(plan.record, pid);
      writeRecord(ctx, { ...record, resctrl: plan.record });
    } catch (error) {
      undo();
      throw error;
    }
  });
}
