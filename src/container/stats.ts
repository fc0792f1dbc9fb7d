// `stats`: what containers use, measured between two looks at their cgroups.
import { type CgroupLoad, readCgroupLoad } from "../cgroup/load.ts";
import type { Context } from "../context.ts";
import { messageOf, phrases, TsruncError } from "../errors.ts";
import type { Status } from "../spec/state.ts";
import { computeStatus } from "./status.ts";
import { findRecord, listIds } from "./store.ts";

/** One look at one container. */
export interface Sample {
  readonly id: string;
  readonly status: Status;
  /** Milliseconds of a clock that only goes forward. */
  readonly at: number;
  readonly load: CgroupLoad;
}

/** What a container has used between two looks, and what it has at the second one. */
export interface ContainerLoad extends CgroupLoad {
  readonly id: string;
  readonly status: Status;
  /** 100 is one CPU; undefined until there are two looks. */
  readonly cpuPercent?: number;
}

type Looker = Pick<Context, "root" | "log">;

/**
 * Looks at the named containers, or at all, in the order of their ids; those without a live process are left out. A
 * container whose state cannot be read is a warning, once: `warned` holds the ids.
 */
export function sampleContainers(
  ctx: Looker,
  ids: readonly string[],
  warned: Set<string>,
): readonly Sample[] {
  const wanted = ids.length > 0 ? [...new Set(ids)].sort() : (listIds(ctx) ?? []);
  return wanted.flatMap((id) => {
    try {
      return sampleContainer(ctx, id) ?? [];
    } catch (error) {
      if (!(error instanceof TsruncError)) throw error;
      if (!warned.has(id)) ctx.log.warn(`container ${id}: ${messageOf(error)}`);
      warned.add(id);
      return [];
    }
  });
}

function sampleContainer(ctx: Looker, id: string): Sample | undefined {
  const record = findRecord(ctx, id);
  if (record === undefined || record.cgroup === null) return undefined;
  const status = computeStatus(ctx, record);
  if (status === "stopped" || status === "creating") return undefined;
  const load = readCgroupLoad(record.cgroup);
  return load && { id, status, at: performance.now(), load };
}

/** Throws TsruncError unless every one of these containers has a live process. */
export function checkContainers(ctx: Looker, ids: readonly string[]): void {
  for (const id of ids) {
    const record = findRecord(ctx, id);
    if (record === undefined) throw new TsruncError(`container ${id}: ${phrases.absent}`);
    const status = computeStatus(ctx, record);
    if (status === "stopped" || status === "creating")
      throw new TsruncError(`container with id ${id} is not running`);
    if (record.cgroup === null) throw new TsruncError(`container ${id} has no cgroup`);
  }
}

/** A container of the later look that was not in the earlier one has no CPU percentage yet. */
export function compareSamples(
  earlier: readonly Sample[],
  later: readonly Sample[],
): readonly ContainerLoad[] {
  const before = new Map(earlier.map((sample) => [sample.id, sample]));
  return later.map(({ id, status, at, load }) => {
    const first = before.get(id);
    const spent = first && load.cpuTime - first.load.cpuTime;
    // Less than before: another container of that name.
    if (first === undefined || spent === undefined || spent < 0n || at <= first.at)
      return { id, status, ...load };
    return { id, status, ...load, cpuPercent: (Number(spent) / 1e6 / (at - first.at)) * 100 };
  });
}
