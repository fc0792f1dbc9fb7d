// `ps`: the processes of a container, as pids or as the host's ps(1) shows them.
import { readCgroupPids } from "../cgroup/processes.ts";
import type { Context } from "../context.ts";
import { TsruncError } from "../errors.ts";
import { ownCgroup } from "./record.ts";
import { hasLiveProcess } from "./status.ts";
import { readRecord } from "./store.ts";

/** Pids of all processes of a container in the runtime's pid namespace, ascending. Throws TsruncError. */
export async function listProcesses(ctx: Pick<Context, "root">, id: string): Promise<readonly number[]> {
  const record = readRecord(ctx, id);
  const cgroup = ownCgroup(record);
  if (cgroup !== null) return readCgroupPids(cgroup);
  // An ordinary user's without a cgroup: what /proc tells.
  if (!hasLiveProcess(record)) return [];
  return (await import("../host/hooks.ts")).listTree(record.pid);
}

/** The output of `ps --format json`: one line; `null` for no process, as Go prints an empty list. */
export function formatPids(pids: readonly number[]): string {
  return pids.length === 0 ? "null" : JSON.stringify(pids);
}

/**
 * The header of ps(1)'s output and the lines of these processes, found by the column PID. A line that has `-` there
 * is of a thread (options m, H), and goes with its process. Throws TsruncError if there is no such column.
 */
export function selectLines(output: string, pids: readonly number[]): string {
  const [header = "", ...lines] = output.split("\n");
  const column = splitFields(header).indexOf("PID");
  if (column < 0) throw new TsruncError("couldn't find PID field in ps output");
  const wanted = new Set(pids.map(String));
  let isWanted = false;
  const selected = lines.filter((line) => {
    const pid = splitFields(line)[column];
    if (pid !== "-") isWanted = pid !== undefined && wanted.has(pid);
    return isWanted;
  });
  return [header, ...selected].map((line) => `${line}\n`).join("");
}

function splitFields(line: string): readonly string[] {
  return line.trim().split(/\s+/);
}
