// Plans a container's cgroup: where it is, and which values go into which of its files. Pure.
import type { Resources } from "../spec/resources.ts";
import { planCpuV1, planCpuV2 } from "./cpu.ts";
import { planDevicesV1, planDevicesV2 } from "./devices.ts";
import { planMemoryV1, planMemoryV2 } from "./memory.ts";
import { placeCgroup } from "./paths.ts";
import { planPids } from "./pids.ts";
import type { CgroupLayout, CgroupPlan, CgroupRequest, CgroupWrite } from "./types.ts";

/** Throws TsruncError for a request that this host's cgroups cannot carry out. */
export function planCgroup(layout: CgroupLayout, request: CgroupRequest): CgroupPlan {
  const { record, directories } = placeCgroup(layout, request);
  const resources = request.resources ?? {};
  const rules = resources.devices ?? [];
  const dir = record.paths.unified;
  if (record.mode === "v2" && dir !== undefined) {
    const filter = planDevicesV2(rules, dir);
    return {
      record,
      directories,
      writes: planWritesV2(resources),
      lateWrites: planPids("unified", resources.pids),
      ...(filter ? { deviceFilter: filter } : {}),
    };
  }
  return {
    record,
    directories,
    writes: [...planDevicesV1(rules), ...planWritesV1(resources)],
    lateWrites: planPids("pids", resources.pids),
  };
}

/** All but devices and pids: what `create` and `update` both write. */
export function planWritesV1(resources: Resources): readonly CgroupWrite[] {
  return [...planMemoryV1(resources.memory), ...planCpuV1(resources.cpu)];
}

/** As {@link planWritesV1}, for v2. */
export function planWritesV2(resources: Resources): readonly CgroupWrite[] {
  return [...planMemoryV2(resources.memory), ...planCpuV2(resources.cpu)];
}

/** The plan in the form of plan/print.ts: a line for each thing that the host does, in order of execution. */
export function describeCgroupPlan(plan: CgroupPlan): readonly string[] {
  const { record, deviceFilter } = plan;
  const line = (call: string, why: string): string => `host  ${call}  # ${why}`;
  const describeWrite = ({ hierarchy, file, value, why }: CgroupWrite): string =>
    line(
      `write(${JSON.stringify(`${record.paths[hierarchy] ?? ""}/${file}`)}, ${JSON.stringify(value)})`,
      why,
    );
  return [
    ...plan.directories.map((d) => line(`mkdir(${JSON.stringify(d.path)}, 0755)`, "linux.cgroupsPath")),
    ...plan.writes.map(describeWrite),
    ...(deviceFilter
      ? [
          line(`bpf(BPF_PROG_LOAD, ${deviceFilter.program.length / 8} instructions)`, deviceFilter.why),
          line(`bpf(BPF_PROG_ATTACH, ${JSON.stringify(deviceFilter.dir)})`, deviceFilter.why),
        ]
      : []),
    ...plan.lateWrites.map(describeWrite),
  ];
}
