// The devices controller of v1 (kernel: cgroup-v1/devices.rst), and the filter that takes its place on v2.
import type { DeviceRule } from "../spec/resources.ts";
import { assembleDeviceFilter } from "./device-filter.ts";
import { type DeviceException, formatException, planDeviceChanges } from "./device-rules.ts";
import type { CgroupWrite, DeviceFilter } from "./types.ts";

export function planDevicesV1(rules: readonly DeviceRule[]): readonly CgroupWrite[] {
  return planDeviceChanges(rules).changes.map((change) => ({
    hierarchy: "devices",
    file: change.allow ? "devices.allow" : "devices.deny",
    value: change.all ? "a" : formatException(change.exception),
    why: change.why,
  }));
}

export interface DeviceUpdate {
  readonly writes: readonly CgroupWrite[];
  /** False: in between, the container has other devices than before and after. */
  readonly isSeamless: boolean;
}

/**
 * The way from one list of rules to another. What both allow stays allowed, and what both deny denied, at every
 * moment, unless the default changes: the controller forgets all exceptions then.
 */
export function planDeviceUpdateV1(from: readonly DeviceRule[], to: readonly DeviceRule[]): DeviceUpdate {
  const before = planDeviceChanges(from).access;
  const after = planDeviceChanges(to).access;
  const { allowsByDefault } = after;
  const write = (allow: boolean, value: string): CgroupWrite => ({
    hierarchy: "devices",
    file: allow ? "devices.allow" : "devices.deny",
    value,
    why: "linux.resources.devices",
  });
  const isSeamless = before.allowsByDefault === allowsByDefault;
  const known = isSeamless ? before.exceptions : [];
  const added = subtract(after.exceptions, known).map((one) => write(!allowsByDefault, formatException(one)));
  const gone = subtract(known, after.exceptions).map((one) => write(allowsByDefault, formatException(one)));
  return isSeamless
    ? { isSeamless, writes: [...added, ...gone] }
    : { isSeamless, writes: [write(allowsByDefault, "a"), ...added] };
}

/** What the first list has and the second has not, access by access. */
function subtract(
  from: readonly DeviceException[],
  other: readonly DeviceException[],
): readonly DeviceException[] {
  return from.flatMap((one) => {
    const same = other.find((o) => o.type === one.type && o.major === one.major && o.minor === one.minor);
    const access = one.access & ~(same?.access ?? 0);
    return access === 0 ? [] : [{ ...one, access }];
  });
}

/** Undefined if every device is allowed. `dir`: the container's cgroup. */
export function planDevicesV2(rules: readonly DeviceRule[], dir: string): DeviceFilter | undefined {
  const { access } = planDeviceChanges(rules);
  if (access.allowsByDefault && access.exceptions.length === 0) return undefined;
  return { dir, program: assembleDeviceFilter(access), why: "linux.resources.devices" };
}
