// What config.json can ask for and this release cannot do yet. Nothing is ignored silently: a row makes a config
// that asks for it fail. Whoever implements a member deletes its row.
import type { Problem } from "../errors.ts";
import { visitAt } from "./check.ts";
import type { Config } from "./config-schema.ts";
import { formatPath, type Segments } from "./problems.ts";

interface Row {
  /** As in check.ts: `*` stands for all elements or members. */
  readonly at: string;
  /** Whether a value asks for nothing. Absent: every value does ask. */
  readonly asksNothing?: (value: unknown) => boolean;
}

/** Numbers that leave a setting as a new cgroup has it. */
const zero = (value: unknown): boolean => value === 0 || value === 0n;
const zeroOrUnlimited = (value: unknown): boolean => value === 0n || value === -1n;
const isFalse = (value: unknown): boolean => value === false;
const empty = (value: unknown): boolean => Object.keys(value as object).length === 0;
const noIdmap = (value: unknown): boolean => {
  const name = String(value).split("=", 1)[0];
  return name !== "idmap" && name !== "ridmap";
};

export const UNSUPPORTED: readonly Row[] = [
  { at: "process.apparmorProfile" },
  { at: "process.selinuxLabel" },
  { at: "mounts.*.uidMappings", asksNothing: empty },
  { at: "mounts.*.gidMappings", asksNothing: empty },
  { at: "mounts.*.options.*", asksNothing: noIdmap },
  { at: "linux.seccomp" },
  { at: "linux.mountLabel" },
  { at: "linux.netDevices", asksNothing: empty },
  { at: "linux.intelRdt" },
  { at: "linux.memoryPolicy" },
  { at: "linux.resources.memory.reservation", asksNothing: zeroOrUnlimited },
  { at: "linux.resources.memory.swap", asksNothing: zeroOrUnlimited },
  { at: "linux.resources.memory.kernel", asksNothing: zeroOrUnlimited },
  { at: "linux.resources.memory.kernelTCP", asksNothing: zeroOrUnlimited },
  { at: "linux.resources.memory.swappiness" },
  { at: "linux.resources.memory.disableOOMKiller", asksNothing: isFalse },
  // Since Linux 5.11 every memory cgroup is hierarchical.
  { at: "linux.resources.memory.useHierarchy", asksNothing: (value) => value === true },
  { at: "linux.resources.memory.checkBeforeUpdate", asksNothing: isFalse },
  { at: "linux.resources.cpu.burst", asksNothing: zero },
  { at: "linux.resources.cpu.realtimeRuntime", asksNothing: zero },
  { at: "linux.resources.cpu.realtimePeriod", asksNothing: zero },
  { at: "linux.resources.cpu.cpus" },
  { at: "linux.resources.cpu.mems" },
  { at: "linux.resources.cpu.idle", asksNothing: zero },
  { at: "linux.resources.blockIO.weight", asksNothing: zero },
  { at: "linux.resources.blockIO.leafWeight", asksNothing: zero },
  { at: "linux.resources.blockIO.weightDevice", asksNothing: empty },
  { at: "linux.resources.blockIO.throttleReadBpsDevice", asksNothing: empty },
  { at: "linux.resources.blockIO.throttleWriteBpsDevice", asksNothing: empty },
  { at: "linux.resources.blockIO.throttleReadIOPSDevice", asksNothing: empty },
  { at: "linux.resources.blockIO.throttleWriteIOPSDevice", asksNothing: empty },
  { at: "linux.resources.hugepageLimits", asksNothing: empty },
  { at: "linux.resources.network.classID", asksNothing: zero },
  { at: "linux.resources.network.priorities", asksNothing: empty },
  { at: "linux.resources.rdma", asksNothing: empty },
  { at: "linux.resources.unified", asksNothing: empty },
];

/**
 * As {@link unsupportedProblems}, leaving out places below `broken` ones, and the first `skip` segments of paths.
 */
export function findUnsupported(config: Config, broken: readonly Segments[], skip: number): Problem[] {
  const problems: Problem[] = [];
  for (const row of UNSUPPORTED) {
    visitAt(config, row.at, (value, segments) => {
      const isBroken = broken.some((place) => place.every((segment, i) => segments[i] === segment));
      if (isBroken || row.asksNothing?.(value)) return;
      // The path stands in the message, in the words that users and tests look for.
      problems.push({ path: "", message: `not supported yet: ${formatPath(segments.slice(skip))}` });
    });
  }
  return problems;
}

/** What a config asks for that this release cannot do, as `not supported yet: PATH`. */
export function unsupportedProblems(config: Config): Problem[] {
  return findUnsupported(config, [], 0);
}
