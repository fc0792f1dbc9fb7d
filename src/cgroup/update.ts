// What `update` makes of a container's resources. Pure: what is absent stays as it is, and so do the devices, and a
// number of 0 where 0 asks for nothing.
import type { Resources } from "../spec/resources.ts";

type Section = "memory" | "cpu" | "network" | "pids" | "blockIO";
type Writable<T> = { -readonly [K in keyof T]: T[K] };

const DEVICE_LISTS = [
  "weightDevice",
  "throttleReadBpsDevice",
  "throttleWriteBpsDevice",
  "throttleReadIOPSDevice",
  "throttleWriteIOPSDevice",
] as const;

/** Members of which 0 is a value. */
const ZERO_COUNTS = new Set(["limit of pids", "burst", "idle", "swappiness"]);

/** The container's resources from now on. */
export function mergeResources(current: Resources, change: Resources): Resources {
  const merged: Writable<Resources> = { ...current };
  for (const section of ["memory", "cpu", "network", "pids"] as const) mergeSection(merged, change, section);
  mergeSection(merged, change, "blockIO");
  for (const list of DEVICE_LISTS) {
    const entries = change.blockIO?.[list];
    if (entries === undefined) continue;
    const key = ({ major, minor }: { major: bigint; minor: bigint }): string => `${major}:${minor}`;
    merged.blockIO = { ...merged.blockIO, [list]: mergeList(current.blockIO?.[list] ?? [], entries, key) };
  }
  if (change.network?.priorities !== undefined) {
    const before = current.network?.priorities ?? [];
    const priorities = mergeList(before, change.network.priorities, ({ name }) => name);
    merged.network = { ...merged.network, priorities };
  }
  if (change.hugepageLimits !== undefined) {
    const before = current.hugepageLimits ?? [];
    merged.hugepageLimits = mergeList(before, change.hugepageLimits, ({ pageSize }) => pageSize);
  }
  if (change.rdma !== undefined) {
    const devices = Object.entries(change.rdma).map(([name, entry]) => {
      return [name, { ...current.rdma?.[name], ...dropAbsent(entry) }] as const;
    });
    merged.rdma = { ...current.rdma, ...Object.fromEntries(devices) };
  }
  if (change.unified !== undefined) merged.unified = { ...current.unified, ...change.unified };
  // Without a limit of memory there is none of memory and swap either, unless one is asked for.
  if (change.memory?.limit === -1n && !change.memory.swap) merged.memory = { ...merged.memory, swap: -1n };
  return merged;
}

/**
 * The change together with those members of the container's resources without which it cannot be written: they
 * share a file (v2), or the kernel resets one with the other.
 */
export function completeChange(current: Resources, change: Resources): Resources {
  const merged = mergeResources(current, change);
  const { memory, cpu } = change;
  const whole: Writable<Resources> = { ...change };
  if (memory && (memory.limit || memory.swap)) {
    const { limit, swap, checkBeforeUpdate } = merged.memory ?? {};
    whole.memory = { ...memory, limit, swap, checkBeforeUpdate };
  }
  if (cpu && (cpu.quota || cpu.period)) {
    whole.cpu = { ...cpu, quota: merged.cpu?.quota, period: merged.cpu?.period };
  }
  // The end of idleness sets the weight back to the default.
  if (cpu?.idle === 0n) whole.cpu = { ...whole.cpu, shares: merged.cpu?.shares };
  return whole;
}

function mergeSection(merged: Writable<Resources>, change: Resources, section: Section): void {
  const members = change[section];
  if (members === undefined) return;
  const asked = Object.entries(members).filter(([name, value]) => {
    if (value === undefined || Array.isArray(value)) return false;
    return (value !== 0n && value !== 0) || ZERO_COUNTS.has(section === "pids" ? `${name} of pids` : name);
  });
  Object.assign(merged, { [section]: { ...merged[section], ...Object.fromEntries(asked) } });
}

/** Entries of both lists; of those with the same key the members of the later one hold. */
function mergeList<T extends object>(
  before: readonly T[],
  after: readonly T[],
  keyOf: (entry: T) => string,
): readonly T[] {
  const entries = new Map<string, T>();
  for (const entry of [...before, ...after]) {
    const key = keyOf(entry);
    entries.set(key, { ...entries.get(key), ...(dropAbsent(entry) as T) });
  }
  return [...entries.values()];
}

function dropAbsent<T extends object>(entry: T): Partial<T> {
  return Object.fromEntries(Object.entries(entry).filter(([, value]) => value !== undefined)) as Partial<T>;
}
