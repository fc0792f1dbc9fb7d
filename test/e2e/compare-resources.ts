// The same resources under the executable under test and its peers: what each of them leaves in the cgroup's files.
import { expect } from "bun:test";
import { existsSync, readdirSync, readFileSync, rmdirSync } from "node:fs";
import type { Sandbox } from "./harness.ts";

const ROOT = "/sys/fs/cgroup";
const peers = (["runc", "crun"] as const).filter((name) => Bun.which(name) !== null);
type Peer = "runc" | "crun";

/** Everything that resources set, by v1 controller. */
const FILES_V1: Readonly<Record<string, readonly string[]>> = {
  memory: [
    "memory.limit_in_bytes",
    "memory.memsw.limit_in_bytes",
    "memory.soft_limit_in_bytes",
    "memory.swappiness",
    "memory.oom_control",
  ],
  cpu: [
    "cpu.shares",
    "cpu.cfs_quota_us",
    "cpu.cfs_period_us",
    "cpu.cfs_burst_us",
    "cpu.idle",
    "cpu.rt_period_us",
    "cpu.rt_runtime_us",
  ],
  cpuset: ["cpuset.cpus", "cpuset.mems"],
  pids: ["pids.max"],
  blkio: [
    "blkio.bfq.weight",
    "blkio.bfq.weight_device",
    "blkio.throttle.read_bps_device",
    "blkio.throttle.write_bps_device",
    "blkio.throttle.read_iops_device",
    "blkio.throttle.write_iops_device",
  ],
  hugetlb: [
    "hugetlb.2MB.limit_in_bytes",
    "hugetlb.2MB.rsvd.limit_in_bytes",
    "hugetlb.1GB.limit_in_bytes",
    "hugetlb.1GB.rsvd.limit_in_bytes",
  ],
};

/** Everything that resources set on v2. */
const FILES_V2 = [
  "memory.max",
  "memory.swap.max",
  "memory.low",
  "memory.high",
  "cpu.weight",
  "cpu.max",
  "cpu.max.burst",
  "cpu.idle",
  "cpuset.cpus",
  "cpuset.mems",
  "pids.max",
  "io.max",
  "io.weight",
  "io.bfq.weight",
  "hugetlb.2MB.max",
  "hugetlb.2MB.rsvd.max",
];

const disk = readFileSync("/proc/partitions", "utf8")
  .split("\n")
  .map((line) => /^ +(\d+) +(\d+) +\d+ (?:vda|sda|nvme0n1|xvda)$/.exec(line))
  .find((match) => match !== null);
/** A disk of this machine. */
export const device = { major: Number(disk?.[1] ?? 0), minor: Number(disk?.[2] ?? 0) };

type Values = Record<string, string>;

function readCgroup(path: string): Values {
  const isV2 = existsSync(`${ROOT}/cgroup.controllers`);
  const places = isV2
    ? FILES_V2.map((file) => [file, `${ROOT}/${path}/${file}`] as const)
    : Object.entries(FILES_V1).flatMap(([controller, files]) =>
        files.map((file) => [file, `${ROOT}/${controller}/${path}/${file}`] as const),
      );
  return Object.fromEntries(
    places
      .filter(([, place]) => existsSync(place))
      .map(([file, place]) => [file, readFileSync(place, "utf8").trim()]),
  );
}

/** The values, or the error of a runtime that refuses. */
async function apply(
  box: Sandbox,
  program: Pick<Sandbox, "run">,
  resources: Record<string, unknown>,
): Promise<Values | string> {
  const id = box.id();
  const bundle = box.bundle(["sleep", "100"], (config) => {
    config.linux.cgroupsPath = `/${id}`;
    config.linux.resources = { ...config.linux.resources, ...resources };
  });
  const created = await program.run(["create", "--bundle", bundle.directory, id]);
  if (created.status !== 0) {
    removeEmpty(id); // crun 1.8.1 leaves them
    return created.stderr;
  }
  const values = readCgroup(id);
  await program.run(["delete", "--force", id]);
  // Debian's runc gives up on a slow machine.
  if (program !== box) removeEmpty(id);
  return values;
}

function removeEmpty(path: string): void {
  for (const directory of [
    `${ROOT}/${path}`,
    ...readdirSync(ROOT).map((name) => `${ROOT}/${name}/${path}`),
  ]) {
    if (existsSync(directory)) rmdirSync(directory);
  }
}

/** What a peer does not do, and the spec wants: the files that differ, or the text with which it refuses. */
type Difference = ({ readonly files: readonly string[] } | { readonly refuses: string }) & {
  readonly why: string;
};

export interface Row {
  readonly title: string;
  readonly resources: Record<string, unknown>;
  /** The error with which the executable under test refuses them; peers are not asked then. */
  readonly refused?: string;
  readonly differs?: { readonly [P in Peer]?: Difference };
}

const MB = 1048576;

/** In these all runtimes agree, on v1 and on v2. */
export const ALIKE: readonly Row[] = [
  { title: "nothing", resources: {} },
  { title: "a limit of memory", resources: { memory: { limit: 64 * MB } } },
  { title: "no limit of memory", resources: { memory: { limit: -1 } } },
  { title: "memory and swap", resources: { memory: { limit: 64 * MB, swap: 128 * MB } } },
  { title: "memory without swap", resources: { memory: { limit: 64 * MB, swap: 64 * MB } } },
  { title: "memory and any swap", resources: { memory: { limit: 64 * MB, swap: -1 } } },
  { title: "a reservation", resources: { memory: { limit: 64 * MB, reservation: 32 * MB } } },
  { title: "a check before the update", resources: { memory: { limit: 64 * MB, checkBeforeUpdate: true } } },
  { title: "the least shares", resources: { cpu: { shares: 2 } } },
  { title: "quota and period", resources: { cpu: { quota: 30000, period: 60000 } } },
  { title: "a quota alone", resources: { cpu: { quota: 25000 } } },
  { title: "cpus and mems", resources: { cpu: { cpus: "0", mems: "0" } } },
  { title: "pids", resources: { pids: { limit: 77 } } },
  {
    title: "bytes a second",
    resources: {
      blockIO: {
        throttleReadBpsDevice: [{ ...device, rate: 5 * MB }],
        throttleWriteBpsDevice: [{ ...device, rate: 6 * MB }],
      },
    },
  },
  {
    title: "operations a second",
    resources: {
      blockIO: {
        throttleReadIOPSDevice: [{ ...device, rate: 500 }],
        throttleWriteIOPSDevice: [{ ...device, rate: 600 }],
      },
    },
  },
];

/** Fails where a value differs, save what the row names. */
export async function compareWithPeers(box: Sandbox, { resources, refused, differs }: Row): Promise<void> {
  const own = await apply(box, box, resources);
  if (refused !== undefined) {
    expect(own).toContain(refused);
    return;
  }
  expect(own).toBeObject();
  for (const peer of peers) {
    const theirs = await apply(box, box.withPeer(peer), resources);
    const difference = differs?.[peer];
    if (difference !== undefined && "refuses" in difference) expect(theirs).toContain(difference.refuses);
    else
      expect({ peer, differing: compare(own, theirs) }).toEqual({ peer, differing: difference?.files ?? [] });
  }
}

/** What differs; the whole error of a peer that refuses. */
function compare(own: Values | string, theirs: Values | string): readonly string[] {
  if (typeof own === "string" || typeof theirs === "string") return [String(theirs)];
  return Object.keys(own).filter((file) => own[file] !== theirs[file]);
}
