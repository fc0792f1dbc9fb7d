// What `stats` prints: a table, or a JSON object for each container. Pure.
import { formatJson } from "../spec/json.ts";
import type { ContainerLoad } from "./stats.ts";

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
const GAP = 2;

const HEADER = ["ID", "STATUS", "CPU %", "MEMORY", "LIMIT", "MEM %", "PRESSURE", "READ", "WRITTEN", "PIDS"];
/** Places for what is usual, so that columns do not move from one refresh to the next; the id has what it needs. */
const WIDTHS = [12, 8, 7, 9, 9, 6, 8, 9, 9, 5];
/** Text columns; numbers are aligned to the right. */
const IS_LEFT = new Set([0, 1]);

/** The header and a line for each container, as long as they are. `PRESSURE`: memory, some, 10 seconds, in percent. */
export function formatStatsTable(loads: readonly ContainerLoad[]): readonly string[] {
  return alignColumns([HEADER, ...loads.map(formatRow)]);
}

function formatRow(load: ContainerLoad): readonly string[] {
  const memory = workingSet(load);
  const percent = memoryPercent(load);
  const pressure = load.pressure.memory?.some.avg10;
  return [
    load.id,
    load.status,
    load.cpuPercent === undefined ? "-" : load.cpuPercent.toFixed(1),
    formatBytes(memory),
    load.memoryLimit === undefined ? "-" : formatBytes(load.memoryLimit),
    percent === undefined ? "-" : percent.toFixed(1),
    pressure === undefined ? "-" : pressure.toFixed(2),
    formatBytes(load.read),
    formatBytes(load.written),
    load.pidsLimit === undefined ? String(load.pids) : `${load.pids}/${load.pidsLimit}`,
  ];
}

function alignColumns(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = WIDTHS.map((least, column) =>
    Math.max(least, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  return rows.map((row) =>
    row
      .map((cell, column) => {
        const width = widths[column] ?? 0;
        return IS_LEFT.has(column) ? cell.padEnd(width) : cell.padStart(width);
      })
      .join(" ".repeat(GAP)),
  );
}

/** One line for each container, with its newline. `time` is RFC 3339. */
export function formatStatsJson(loads: readonly ContainerLoad[], time: string): string {
  return loads
    .map((load) => {
      const { cpu, memory, io } = load.pressure;
      const line = formatJson({
        time,
        id: load.id,
        status: load.status,
        cpu: { time: load.cpuTime, percent: load.cpuPercent === undefined ? null : round(load.cpuPercent) },
        memory: {
          usage: load.memoryUsage,
          workingSet: workingSet(load),
          limit: load.memoryLimit ?? null,
          percent: roundOrNull(memoryPercent(load)),
        },
        io: { read: load.read, written: load.written },
        pids: { current: load.pids, limit: load.pidsLimit ?? null },
        pressure: {
          cpu: cpu && { some: { ...cpu.some }, full: { ...cpu.full } },
          memory: memory && { some: { ...memory.some }, full: { ...memory.full } },
          io: io && { some: { ...io.some }, full: { ...io.full } },
        },
      });
      return `${line}\n`;
    })
    .join("");
}

/** Memory that the container needs: without cache that the kernel would take back first. */
function workingSet({ memoryUsage, inactiveFile }: ContainerLoad): bigint {
  return memoryUsage > inactiveFile ? memoryUsage - inactiveFile : 0n;
}

function memoryPercent(load: ContainerLoad): number | undefined {
  const { memoryLimit } = load;
  if (memoryLimit === undefined || memoryLimit === 0n) return undefined;
  return (Number(workingSet(load)) / Number(memoryLimit)) * 100;
}

/** `1.5MiB`: three digits or four, with one after the point below 100. */
export function formatBytes(bytes: bigint): string {
  let value = Number(bytes);
  let unit = 0;
  // 1023.5 would be printed as 1024.
  while (value >= 1023.5 && unit < UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 || value >= 99.95 ? value.toFixed(0) : value.toFixed(1)}${UNITS[unit]}`;
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}

function roundOrNull(value: number | undefined): number | null {
  return value === undefined ? null : round(value);
}
