// The controllers net_cls and net_prio, which only v1 has (kernel: cgroup-v1/net_cls.rst, net_prio.rst).
import { TsruncError } from "../errors.ts";
import type { Resources } from "../spec/resources.ts";
import type { CgroupWrite } from "./types.ts";

const CLASS_ID = "linux.resources.network.classID";
const PRIORITIES = "linux.resources.network.priorities";

type Network = NonNullable<Resources["network"]>;

/** A class of 0 asks for nothing. Interfaces are named as in the runtime's network namespace. */
export function planNetworkV1(network: Network = {}): readonly CgroupWrite[] {
  const { classID, priorities = [] } = network;
  const writes: CgroupWrite[] = [];
  if (classID)
    writes.push({ hierarchy: "net_cls", file: "net_cls.classid", value: String(classID), why: CLASS_ID });
  for (const [i, { name, priority }] of priorities.entries()) {
    const value = `${name} ${priority}`;
    const why = `${PRIORITIES}[${i}]`;
    writes.push({ hierarchy: "net_prio", file: "net_prio.ifpriomap", value, why });
  }
  return writes;
}

/** Throws TsruncError for what asks for anything. */
export function refuseNetworkV2({ classID, priorities = [] }: Network = {}): void {
  if (classID) throw new TsruncError(`${CLASS_ID}: cgroup v2 has no net_cls controller`);
  if (priorities.length > 0) throw new TsruncError(`${PRIORITIES}: cgroup v2 has no net_prio controller`);
}
