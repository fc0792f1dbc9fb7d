// What resctrl tells of a container's group, for `events` (the kernel's Documentation/filesystems/resctrl.rst).
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { toSyscallError } from "../errors.ts";
import { type ResctrlRecord, readSchemata } from "./resctrl.ts";

/** What the processor can do with its L3 cache. `cbmMask` is hexadecimal, as the kernel has it. */
export interface L3Info {
  readonly cbmMask: string;
  readonly minCbmBits: bigint;
  readonly numClosids: bigint;
}

/** What the processor can do with memory bandwidth; `bandwidthGran` and `minBandwidth` in percent. */
export interface BandwidthInfo {
  readonly bandwidthGran: bigint;
  readonly delayLinear: bigint;
  readonly minBandwidth: bigint;
  readonly numClosids: bigint;
}

/** Counters of the domain of one L3 cache, in bytes; those are left out that the processor has not. */
export interface MonitorData {
  readonly mbmTotalBytes?: bigint | undefined;
  readonly mbmLocalBytes?: bigint | undefined;
  readonly llcOccupancy?: bigint | undefined;
}

export interface ResctrlStats {
  readonly l3?: L3Info | undefined;
  readonly bandwidth?: BandwidthInfo | undefined;
  /** Lines of the root's and of the group's `schemata`. */
  readonly rootSchemata: readonly string[];
  readonly schemata: readonly string[];
  /** In the order of the caches' numbers. */
  readonly monitors: readonly MonitorData[];
}

/** Throws SyscallError. */
export function readResctrlStats(record: ResctrlRecord): ResctrlStats {
  const info = (...path: string[]): string | undefined => readStatistic(join(record.root, "info", ...path));
  const number = (...path: string[]): bigint => BigInt(info(...path) ?? "0");
  const cbmMask = info("L3", "cbm_mask");
  const minBandwidth = info("MB", "min_bandwidth");
  return {
    l3:
      cbmMask === undefined
        ? undefined
        : { cbmMask, minCbmBits: number("L3", "min_cbm_bits"), numClosids: number("L3", "num_closids") },
    bandwidth:
      minBandwidth === undefined
        ? undefined
        : {
            bandwidthGran: number("MB", "bandwidth_gran"),
            delayLinear: number("MB", "delay_linear"),
            minBandwidth: BigInt(minBandwidth),
            numClosids: number("MB", "num_closids"),
          },
    rootSchemata: trimLines(readSchemata({ ...record, group: record.root })),
    schemata: trimLines(readSchemata(record)),
    monitors: readMonitors(join(record.monitor ?? record.group, "mon_data")),
  };
}

/** The kernel pads the names of resources to one width. */
function trimLines(lines: readonly string[]): readonly string[] {
  return lines.map((line) => line.trim());
}

function readMonitors(folder: string): readonly MonitorData[] {
  return listCaches(folder).map((name) => {
    const count = (file: string): bigint | undefined => {
      const text = readStatistic(join(folder, name, file));
      // "Unavailable" while the counter is not ready, "Error" when it has failed, "Unassigned" without a counter.
      return text !== undefined && /^\d+$/.test(text) ? BigInt(text) : undefined;
    };
    return {
      mbmTotalBytes: count("mbm_total_bytes"),
      mbmLocalBytes: count("mbm_local_bytes"),
      llcOccupancy: count("llc_occupancy"),
    };
  });
}

function listCaches(folder: string): readonly string[] {
  try {
    return readdirSync(folder)
      .filter((name) => /^mon_L3_\d+$/.test(name))
      .sort();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return []; // a processor that cannot monitor
    throw toSyscallError(error, "linux.intelRdt: read the statistics", `open("${folder}")`);
  }
}

function readStatistic(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8").trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw toSyscallError(error, "linux.intelRdt: read the statistics", `read("${path}")`);
  }
}
