// `events`: statistics at intervals, and out-of-memory kills, as JSON lines in runc's shape.
import { loadLibc } from "../../native-bindings/libc.ts";
import { readCgroupStats } from "../cgroup/stats.ts";
import type { Context } from "../context.ts";
import { messageOf, TsruncError } from "../errors.ts";
import { closeFd } from "../host/fd.ts";
import { type OomWatch, openOomWatch } from "../host/oom-watch.ts";
import { openPoller, POLLIN } from "../host/poller.ts";
import { readResctrlStats } from "../host/resctrl-stats.ts";
import { openProcess } from "../host/signal.ts";
import { formatJson } from "../spec/json.ts";
import { describeStats } from "./event-stats.ts";
import type { ContainerRecord } from "./record.ts";
import { computeStatus } from "./status.ts";
import { readRecord } from "./store.ts";

/** Nothing is asked of the reader's descriptor but its hang-up, which poll(2) tells of unasked. */
const POLLPRI = 2;

export interface EventOptions {
  readonly intervalMs: number;
  /** Takes one line, with its newline. */
  readonly emit: (line: string) => void;
}

/** The line of one `stats` event. Throws TsruncError for a container without a live process. */
export function formatStatsEvent(ctx: Pick<Context, "root">, id: string): string {
  return formatStats(readLiveRecord(ctx, id));
}

/**
 * Emits events until the container stops, or nobody reads its output any more. Throws TsruncError for a container
 * without a live process.
 */
export async function streamEvents(ctx: Context, id: string, options: EventOptions): Promise<void> {
  const record = readLiveRecord(ctx, id);
  const libc = loadLibc(ctx.installDir);
  const pidfd = openProcess(libc, record.pid, record.startTime);
  if (pidfd === undefined) throw notRunning(id);
  const ooms = tryWatchOoms(ctx, record);
  const emitOom = (): void => {
    if (ooms?.take()) options.emit(`${formatJson({ type: "oom", id })}\n`);
  };
  let timer: NodeJS.Timeout | undefined;
  const opened: { close: () => void }[] = [];
  try {
    await new Promise<void>((resolve, reject) => {
      // Callbacks of descriptors and timers have no caller to throw to.
      const guard = (action: () => void) => (): void => {
        try {
          action();
        } catch (error) {
          reject(error);
        }
      };
      const poller = openPoller(libc, reject);
      opened.push(poller);
      if (ooms) poller.watch(ooms.fd, ooms.events, guard(emitOom));
      poller.watch(pidfd, POLLIN, () => resolve());
      poller.watch(ctx.stdio[1], POLLPRI, () => resolve());
      timer = setInterval(
        guard(() => options.emit(formatStats(record))),
        options.intervalMs,
      );
    });
    // A kill of the first process may be told after its end.
    emitOom();
  } finally {
    clearInterval(timer);
    for (const each of opened) each.close();
    ooms?.close();
    closeFd(libc, pidfd);
  }
}

function readLiveRecord(ctx: Pick<Context, "root">, id: string): ContainerRecord {
  const record = readRecord(ctx, id);
  const status = computeStatus(ctx, record);
  if (status === "stopped" || status === "creating") throw notRunning(id);
  return record;
}

function notRunning(id: string): TsruncError {
  return new TsruncError(`container with id ${id} is not running`);
}

function formatStats({ id, cgroup, resctrl }: ContainerRecord): string {
  if (cgroup === null) throw new TsruncError("read the container's statistics: it has no cgroup");
  const data = describeStats(readCgroupStats(cgroup), resctrl && readResctrlStats(resctrl));
  return `${formatJson({ type: "stats", id, data })}\n`;
}

/** Statistics are worth having without them. */
function tryWatchOoms(ctx: Context, { cgroup }: ContainerRecord): OomWatch | undefined {
  if (cgroup === null) return undefined;
  try {
    return openOomWatch(loadLibc(ctx.installDir), cgroup);
  } catch (error) {
    if (!(error instanceof TsruncError)) throw error;
    ctx.log.warn(messageOf(error));
    return undefined;
  }
}
