// Plans a container's cgroup: where it is, and which values go into which of its files. Pure.
import { formatJson } from "../spec/json.ts";
import type { Resources } from "../spec/resources.ts";
import { planBlockIoV1, planBlockIoV2 } from "./block-io.ts";
import { planCpuV1, planCpuV2 } from "./cpu.ts";
import { planCpuset } from "./cpuset.ts";
import { planDevicesV1, planDevicesV2 } from "./devices.ts";
import type { BusValue } from "./gvariant.ts";
import { planHugetlb } from "./hugetlb.ts";
import { planMemoryV1, planMemoryV2 } from "./memory.ts";
import { planNetworkV1, refuseNetworkV2 } from "./network.ts";
import { placeCgroup } from "./paths.ts";
import { planPids } from "./pids.ts";
import { planRdma } from "./rdma.ts";
import type {
  CgroupLayout,
  CgroupPlan,
  CgroupRecord,
  CgroupRequest,
  CgroupWrite,
  UnitPlan,
  UnitProperty,
} from "./types.ts";
import { planUnified, refuseUnifiedV1 } from "./unified.ts";
import { placeUnit, planUnit } from "./unit.ts";
import { planDeviceProperties, planUnitProperties } from "./unit-properties.ts";

/** Throws TsruncError for a request that this host's cgroups cannot carry out. */
export function planCgroup(layout: CgroupLayout, request: CgroupRequest): CgroupPlan {
  const { record, directories } = placeCgroup(layout, request);
  const resources = request.resources ?? {};
  const rules = resources.devices ?? [];
  const writes = planWrites(record.mode, resources);
  const unit = planScope(record, request);
  const plan = {
    record,
    ...(unit ? { unit } : {}),
    directories,
    writes: writes.filter((write) => !isLate(write)),
    lateWrites: writes.filter(isLate),
  };
  const dir = record.paths.unified;
  if (record.mode !== "v2" || dir === undefined)
    return { ...plan, writes: [...planDevicesV1(rules), ...plan.writes] };
  const filter = planDevicesV2(rules, dir);
  const { ownerUid } = request;
  return {
    ...plan,
    ...(filter ? { deviceFilter: filter } : {}),
    ...(ownerUid === undefined ? {} : { ownerUid }),
  };
}

/** The unit of the systemd driver. */
function planScope({ mode, unit }: CgroupRecord, request: CgroupRequest): UnitPlan | undefined {
  const { systemd, resources = {} } = request;
  if (unit === undefined || systemd === undefined) return undefined;
  const isLateProperty = ({ name }: UnitProperty): boolean => name === "TasksMax";
  const all = planUnitProperties(mode, resources, systemd);
  return {
    record: unit,
    properties: [
      ...planUnit(request, placeUnit(request, systemd), mode === "v2"),
      ...planDeviceProperties(resources.devices ?? []),
      ...all.filter((property) => !isLateProperty(property)),
    ],
    lateProperties: all.filter(isLateProperty),
  };
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
  const describeProperties = (properties: readonly UnitProperty[]): string =>
    properties.map(({ name, value }) => `${name}=${formatValue(value)}`).join(" ");
  const describeWrite = ({ hierarchy, file, value, why }: CgroupWrite): string =>
    line(
      `write(${JSON.stringify(`${record.paths[hierarchy] ?? ""}/${file}`)}, ${JSON.stringify(value)})`,
      why,
    );
  const { unit } = plan;
  return [
    ...(unit
      ? [
          line(
            `StartTransientUnit(${unit.record.name}: ${describeProperties(unit.properties)})`,
            "linux.cgroupsPath",
          ),
        ]
      : []),
    ...plan.directories.map((d) => line(`mkdir(${JSON.stringify(d.path)}, 0755)`, "linux.cgroupsPath")),
    ...plan.writes.map(describeWrite),
    ...(plan.ownerUid === undefined
      ? []
      : [line(`chown(${JSON.stringify(record.paths.unified)}, ${plan.ownerUid}, -1)`, "mounts")]),
    ...(deviceFilter
      ? [
          line(`bpf(BPF_PROG_LOAD, ${deviceFilter.program.length / 8} instructions)`, deviceFilter.why),
          line(`bpf(BPF_PROG_ATTACH, ${JSON.stringify(deviceFilter.dir)})`, deviceFilter.why),
        ]
      : []),
    ...(unit && unit.lateProperties.length > 0
      ? [
          line(
            `SetUnitProperties(${unit.record.name}: ${describeProperties(unit.lateProperties)})`,
            "linux.resources",
          ),
        ]
      : []),
    ...plan.lateWrites.map(describeWrite),
  ];
}

function formatValue(value: BusValue): string {
  if (value instanceof Uint8Array) return `0x${Buffer.from(value).toString("hex")}`;
  return formatJson(value);
}
