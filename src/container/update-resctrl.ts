// `update --l3-cache-schema`, `--mem-bw-schema`: other schemas for a container that lives.
import { readFileSync } from "node:fs";
import { readCgroupPids } from "../cgroup/control.ts";
import type { Context } from "../context.ts";
import { parseMountInfo } from "../host/probe.ts";
import {
  createResctrl,
  findResctrl,
  joinAllResctrl,
  planResctrl,
  readSchemata,
  type SchemaChange,
  splitSchemas,
  writeSchemata,
} from "../host/resctrl.ts";
import { type ContainerRecord, ownCgroup } from "./record.ts";
import { writeRecord } from "./store.ts";

/**
 * Writes the schemas, for a caller that holds the container's lock; gives what takes it back. A container that was
 * made without linux.intelRdt gets a group of its own, with all of its processes, as with runc. Throws TsruncError,
 * ConfigError, and has changed nothing then.
 */
export function changeSchemas(ctx: Context, record: ContainerRecord, change: SchemaChange): () => void {
  const { resctrl } = record;
  if (resctrl) {
    const before = readSchemata(resctrl);
    writeSchemata(
      resctrl,
      splitSchemas(change).map(([, line]) => line),
    );
    return () => writeSchemata(resctrl, before);
  }
  const root = findResctrl(parseMountInfo(readFileSync("/proc/self/mountinfo", "utf8")));
  const plan = planResctrl(change, record.id, root);
  const undo = createResctrl(plan);
  try {
    const cgroup = ownCgroup(record);
    joinAllResctrl(plan.record, () => [record.pid, ...(cgroup === null ? [] : readCgroupPids(cgroup))]);
    writeRecord(ctx, { ...record, resctrl: plan.record });
  } catch (error) {
    undo();
    throw error;
  }
  return () => {
    writeRecord(ctx, record);
    undo();
  };
}
