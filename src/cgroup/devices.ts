// The devices controller of v1 (kernel: cgroup-v1/devices.rst), and the filter that takes its place on v2.
import type { DeviceRule } from "../spec/resources.ts";
import { assembleDeviceFilter } from "./device-filter.ts";
import { formatException, planDeviceChanges } from "./device-rules.ts";
import type { CgroupWrite, DeviceFilter } from "./types.ts";

export function planDevicesV1(rules: readonly DeviceRule[]): readonly CgroupWrite[] {
  return planDeviceChanges(rules).changes.map((change) => ({
    hierarchy: "devices",
    file: change.allow ? "devices.allow" : "devices.deny",
    value: change.all ? "a" : formatException(change.exception),
    why: change.why,
  }));
}

/** Undefined if every device is allowed. `dir`: the container's cgroup. */
export function planDevicesV2(rules: readonly DeviceRule[], dir: string): DeviceFilter | undefined {
  const { access } = planDeviceChanges(rules);
  if (access.allowsByDefault && access.exceptions.length === 0) return undefined;
  return { dir, program: assembleDeviceFilter(access), why: "linux.resources.devices" };
}
