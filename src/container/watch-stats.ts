// The loop of `stats`: look, print, wait.
import { loadLibc } from "../../native-bindings/libc.ts";
import type { Context } from "../context.ts";
import { hasReader, readWindowSize, type WindowSize } from "../host/window-size.ts";
import { type ContainerLoad, checkContainers, compareSamples, sampleContainers } from "./stats.ts";
import { formatStatsJson, formatStatsTable } from "./stats-format.ts";

/** Between the two looks of the first output, in milliseconds: enough for a percentage, short enough to wait for. */
const FIRST_MS = 200;

export interface StatsOptions {
  /** All containers if empty. */
  readonly ids: readonly string[];
  readonly intervalMs: number;
  readonly json: boolean;
  /** One output, then the end. */
  readonly once: boolean;
  readonly emit: (text: string) => void;
}

/**
 * Prints what containers use at each interval: on a terminal a table in its place, elsewhere a line for each container.
 * Ends when nobody reads it, and when none of the named containers lives any more. Throws TsruncError for a named
 * container that has no live process at the start.
 */
export async function watchStats(ctx: Context, options: StatsOptions): Promise<void> {
  const { ids, json, once, emit } = options;
  checkContainers(ctx, ids);
  const libc = loadLibc(ctx.installDir);
  const [, output] = ctx.stdio;
  const warned = new Set<string>();
  const window = (): WindowSize | undefined => (json || once ? undefined : readWindowSize(libc, output));
  let screen = "";
  let isFirst = true;
  let before = sampleContainers(ctx, ids, warned);
  for (let pause = Math.min(FIRST_MS, options.intervalMs); ; pause = options.intervalMs) {
    await sleep(pause);
    if (!isFirst && !hasReader(libc, output)) return;
    const now = sampleContainers(ctx, ids, warned);
    const loads = compareSamples(before, now);
    before = now;
    const size = window();
    if (size !== undefined) {
      const next = formatScreen(loads, size);
      emit(`${moveBack(screen)}${next}`);
      screen = next;
    } else if (json) emit(formatStatsJson(loads, ctx.now().toISOString()));
    else emit(formatLines(loads, isFirst));
    isFirst = false;
    if (once || (ids.length > 0 && now.length === 0)) return;
  }
}

function formatLines(loads: readonly ContainerLoad[], withHeader: boolean): string {
  return formatStatsTable(loads)
    .slice(withHeader ? 0 : 1)
    .map((line) => `${line}\n`)
    .join("");
}

const ERASE_LINE = "\x1b[K";
const ERASE_BELOW = "\x1b[J";

/** A table that fits: a line that wraps, or scrolls away, could not be written over. */
export function formatScreen(loads: readonly ContainerLoad[], { rows, columns }: WindowSize): string {
  let lines = formatStatsTable(loads);
  const most = (rows || 24) - 1;
  if (lines.length > most) {
    const kept = lines.slice(0, Math.max(most - 1, 1));
    lines = [...kept, `... and ${lines.length - kept.length} more`];
  }
  const width = columns || 80;
  return `${lines.map((line) => `${line.slice(0, width)}${ERASE_LINE}\n`).join("")}${ERASE_BELOW}`;
}

/** Up to the first line of what was written last. */
function moveBack(screen: string): string {
  const lines = screen.split("\n").length - 1;
  return lines === 0 ? "" : `\x1b[${lines}A\r`;
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
