// Plans a container's cgroup: where it is, and which values go into which of its files. Pure.
import type { Resources } from "../spec/resources.ts";
import { planBlockIoV1, planBlockIoV2 } from "./block-io.ts";
import { planCpuV1, planCpuV2 } from "./cpu.ts";
import { planCpuset } from "./cpuset.ts";
import { planDevicesV1, planDevicesV2 } from "./devices.ts";
import { planHugetlb } from "./hugetlb.ts";
import { planMemoryV1, planMemoryV2 } from "./memory.ts";
import { planNetworkV1, refuseNetworkV2 } from "./network.ts";
import { placeCgroup } from "./paths.ts";
import { planPids } from "./pids.ts";
import { planRdma } from "./rdma.ts";
import type { CgroupLayout, CgroupPlan, CgroupRecord, CgroupRequest, CgroupWrite } from "./types.ts";
import { planUnified, refuseUnifiedV1 } from "./unified.ts";

/** Throws TsruncError for a request that this host's cgroups cannot carry out. */
export function planCgroup(layout: CgroupLayout, request: CgroupRequest): CgroupPlan {
  const { record, directories } = placeCgroup(layout, request);
  const resources = request.resources ?? {};
  const rules = resources.devices ?? [];
  const writes = planWrites(record.mode, resources);
  const plan = {
    record,
    directories,
    writes: writes.filter((write) => !isLate(write)),
    lateWrites: writes.filter(isLate),
  };
  const dir = record.paths.unified;
  if (record.mode !== "v2" || dir === undefined)
    return { ...plan, writes: [...planDevicesV1(rules), ...plan.writes] };
  const filter = planDevicesV2(rules, dir);
  return filter ? { ...plan, deviceFilter: filter } : plan;
}

/** A limit that init would meet itself. */
function isLate({ file }: CgroupWrite): boolean {
  return file === "pids.max";
}

/**
 * What `create` and `update` both write: all but the devices. Throws TsruncError, with the config path, for what
 * this version of cgroups has no equivalent of.
 */
export function planWrites(mode: CgroupRecord["mode"], resources: Resources): readonly CgroupWrite[] {
  return mode === "v2" ? planWritesV2(resources) : planWritesV1(resources);
}

function planWritesV1(resources: Resources): readonly CgroupWrite[] {
  const { memory, cpu, pids, blockIO, hugepageLimits, network, rdma, unified } = resources;
  refuseUnifiedV1(unified);
  return [
    ...planCpuset("cpuset", cpu),
    ...planMemoryV1(memory),
    ...planCpuV1(cpu),
    ...planPids("pids", pids),
    ...planBlockIoV1(blockIO),
    ...planHugetlb("hugetlb", hugepageLimits),
    ...planNetworkV1(network),
    ...planRdma("rdma", rdma),
  ];
}

function planWritesV2(resources: Resources): readonly CgroupWrite[] {
  const { memory, cpu, pids, blockIO, hugepageLimits, network, rdma, unified } = resources;
  refuseNetworkV2(network);
  return [
    ...planCpuset("unified", cpu),
    ...planMemoryV2(memory),
    ...planCpuV2(cpu),
    ...planPids("unified", pids),
    ...planBlockIoV2(blockIO),
    ...planHugetlb("unified", hugepageLimits),
    ...planRdma("unified", rdma),
    // Last: where both name a file, the one that names it directly holds.
    ...planUnified(unified),
  ];
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
