// Resources as properties of a systemd unit, so that systemd knows them, shows them and keeps them when it is
// reloaded; the cgroup's files are written all the same. Pure (systemd.resource-control(5)). What systemd has no
// property for is left to the files.
import { TsruncError } from "../errors.ts";
import type { DeviceRule, Resources } from "../spec/resources.ts";
import { sharesToWeight } from "./cpu.ts";
import { type DeviceException, formatException, planDeviceChanges } from "./device-rules.ts";
import type { BusValue } from "./gvariant.ts";
import { convertSwap } from "./memory.ts";
import type { CgroupRecord, SystemdFacts, UnitProperty } from "./types.ts";

const INFINITY = 0xffff_ffff_ffff_ffffn;
const DEFAULT_PERIOD = 100_000n;
/** From this version on a weight of 0 makes the unit idle. */
const CPU_IDLE_VERSION = 252;

type Properties = Map<string, UnitProperty>;

/** Throws TsruncError for a value that can be no property's. */
export function planUnitProperties(
  mode: CgroupRecord["mode"],
  resources: Resources,
  { version }: SystemdFacts,
): readonly UnitProperty[] {
  const properties: Properties = new Map();
  const set = (name: string, signature: string, value: BusValue): void =>
    void properties.set(name, { name, signature, value });
  const setNumber = (name: string, value: bigint | undefined): void => {
    if (value) set(name, "t", value < 0n ? INFINITY : value);
  };
  const { memory = {}, cpu = {}, pids, blockIO = {}, unified = {} } = resources;
  const weight = BigInt(blockIO.weight ?? 0);
  if (mode === "v2") {
    setNumber("MemoryMax", memory.limit);
    setNumber("MemoryLow", memory.reservation);
    const swap = convertSwap(memory.limit ?? 0n, memory.swap ?? 0n);
    if (swap !== undefined) set("MemorySwapMax", "t", swap < 0n ? INFINITY : swap);
    if (cpu.idle === 1n) setIdle(set, version);
    else if (cpu.shares) set("CPUWeight", "t", BigInt(sharesToWeight(cpu.shares)));
    if (weight > 0n) set("IOWeight", "t", convertFromBfq(weight));
    setBlockDevices(set, blockIO);
  } else {
    setNumber("MemoryLimit", memory.limit);
    if (cpu.idle !== 1n) setNumber("CPUShares", cpu.shares);
    setNumber("BlockIOWeight", weight);
  }
  setQuota(set, cpu.quota ?? 0n, cpu.period ?? 0n);
  setList(set, "AllowedCPUs", cpu.cpus);
  setList(set, "AllowedMemoryNodes", cpu.mems);
  if (pids?.limit !== undefined) setTasks(set, pids.limit);
  for (const [file, text] of Object.entries(unified)) setUnified(set, file, text.trim(), version);
  return [...properties.values()];
}

type Set = (name: string, signature: string, value: BusValue) => void;

function setIdle(set: Set, version: number): void {
  if (version >= CPU_IDLE_VERSION) set("CPUWeight", "t", 0n);
}

/** systemd takes no 0, which the file gets. */
function setTasks(set: Set, limit: bigint): void {
  set("TasksMax", "t", limit < 0n ? INFINITY : limit === 0n ? 1n : limit);
}

function setQuota(set: Set, quota: bigint, period: bigint): void {
  if (period !== 0n) set("CPUQuotaPeriodUSec", "t", period);
  if (quota === 0n && period === 0n) return;
  if (quota <= 0n) {
    set("CPUQuotaPerSecUSec", "t", INFINITY);
    return;
  }
  // systemd counts in whole percents of a CPU: rounded up, so that the file can have the exact quota.
  const perSecond = (quota * 1_000_000n) / (period === 0n ? DEFAULT_PERIOD : period);
  set("CPUQuotaPerSecUSec", "t", ((perSecond + 9999n) / 10000n) * 10000n);
}

function setList(set: Set, name: string, list: string | undefined): void {
  if (list) set(name, "ay", listToBits(list));
}

function setBlockDevices(set: Set, blockIO: NonNullable<Resources["blockIO"]>): void {
  const path = ({ major, minor }: { major: bigint; minor: bigint }): string => `/dev/block/${major}:${minor}`;
  const weights = (blockIO.weightDevice ?? []).filter((device) => device.weight);
  if (weights.length > 0) {
    const values = weights.map((device) => [path(device), convertFromBfq(BigInt(device.weight ?? 0))]);
    set("IODeviceWeight", "a(st)", values);
  }
  for (const [member, name] of [
    ["throttleReadBpsDevice", "IOReadBandwidthMax"],
    ["throttleWriteBpsDevice", "IOWriteBandwidthMax"],
    ["throttleReadIOPSDevice", "IOReadIOPSMax"],
    ["throttleWriteIOPSDevice", "IOWriteIOPSMax"],
  ] as const) {
    const devices = blockIO[member] ?? [];
    if (devices.length === 0) continue;
    set(
      name,
      "a(st)",
      devices.map((device) => [path(device), device.rate === 0n ? INFINITY : device.rate]),
    );
  }
}

/**
 * The weight (1 to 10000, default 100) of which systemd makes BFQ's weight `bfq` (1 to 1000, default 100) again; as
 * crun.
 */
export function convertFromBfq(bfq: bigint): bigint {
  if (bfq <= 100n) return 100n - ((100n - bfq) * 99n) / 99n;
  return 100n + ((bfq - 100n) * 9900n) / 900n;
}

const NUMBERS: Readonly<Record<string, string>> = {
  "memory.min": "MemoryMin",
  "memory.low": "MemoryLow",
  "memory.high": "MemoryHigh",
  "memory.max": "MemoryMax",
  "memory.swap.max": "MemorySwapMax",
};

/** A file of `linux.resources.unified`. */
function setUnified(set: Set, file: string, text: string, version: number): void {
  const readNumber = (word = text): bigint => {
    if (word === "max") return INFINITY;
    if (/^\d{1,20}$/.test(word)) return BigInt(word);
    throw new TsruncError(
      `linux.resources.unified[${JSON.stringify(file)}]: ${JSON.stringify(word)} is no number`,
    );
  };
  const name = NUMBERS[file];
  if (text === "") return;
  if (name !== undefined) set(name, "t", readNumber());
  else if (file === "cpu.weight") set("CPUWeight", "t", readNumber());
  else if (file === "cpu.idle" && text === "1") setIdle(set, version);
  else if (file === "cpuset.cpus") setList(set, "AllowedCPUs", text);
  else if (file === "cpuset.mems") setList(set, "AllowedMemoryNodes", text);
  else if (file === "pids.max") setTasks(set, text === "max" ? -1n : readNumber());
  else if (file === "io.weight" && /^\d+$/.test(text)) set("IOWeight", "t", readNumber());
  else if (file === "cpu.max") {
    const [quota = "max", period] = text.split(/\s+/);
    setQuota(set, quota === "max" ? -1n : readNumber(quota), period === undefined ? 0n : readNumber(period));
  }
}

/** `0-2,9` as a bit for each number, from the lowest on. Throws TsruncError. */
export function listToBits(list: string): Uint8Array {
  const bits: number[] = [];
  for (const part of list.split(",")) {
    const [, first, last] = /^\s*(\d{1,5})(?:-(\d{1,5}))?\s*$/.exec(part) ?? [];
    if (first === undefined) throw new TsruncError(`${JSON.stringify(list)} is not a list such as 0-2,7`);
    for (let bit = Number(first); bit <= Number(last ?? first); bit++) {
      while (bits.length <= bit >> 3) bits.push(0);
      bits[bit >> 3] = (bits[bit >> 3] as number) | (1 << (bit & 7));
    }
  }
  return Uint8Array.from(bits);
}

/**
 * The device rules as systemd has them: nothing but a list. What that cannot say is left to the filter (v2) or the
 * files (v1) of this program, and systemd allows everything.
 */
export function planDeviceProperties(rules: readonly DeviceRule[]): readonly UnitProperty[] {
  const { access } = planDeviceChanges(rules);
  const isList = !access.allowsByDefault && access.exceptions.every((e) => e.major >= 0n || e.minor < 0n);
  const policy = { name: "DevicePolicy", signature: "s", value: isList ? "strict" : "auto" };
  // An empty list takes away what a unit had.
  const none = { name: "DeviceAllow", signature: "a(ss)", value: [] };
  if (!isList) return [policy, none];
  return [policy, none, { ...none, value: access.exceptions.map(describeDevice) }];
}

function describeDevice(exception: DeviceException): readonly [string, string] {
  const { type, major, minor } = exception;
  const kind = type === "c" ? "char" : "block";
  const letters = formatException(exception).split(" ")[2] ?? "";
  if (major < 0n) return [`${kind}-*`, letters];
  return [minor < 0n ? `${kind}-${major}` : `/dev/${kind}/${major}:${minor}`, letters];
}
