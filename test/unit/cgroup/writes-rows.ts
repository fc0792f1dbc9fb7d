// Every resource of config-linux.md "Control groups" as data: what it becomes on v1 and on v2. `!` begins an error.
import type { Resources } from "../../../src/spec/resources.ts";

type Row = [title: string, resources: Resources, v1: string[], v2: string[]];

const PATH = "!linux.resources";
export const device = { major: 8n, minor: 16n };

/** A write is `hierarchy file=value`; `*` after it: retried; `?`: may be missing; `| file=value`: instead of a missing one. */
export const ROWS: Row[] = [
  ["nothing", {}, [], []],
  // memory
  ["limit", { memory: { limit: 4096n } }, ["memory memory.limit_in_bytes=4096"], ["unified memory.max=4096"]],
  [
    "no limit: swap too",
    { memory: { limit: -1n } },
    ["memory memory.memsw.limit_in_bytes=-1?", "memory memory.limit_in_bytes=-1"],
    ["unified memory.swap.max=max?", "unified memory.max=max"],
  ],
  [
    "limit and swap",
    { memory: { limit: 4096n, swap: 12288n } },
    ["memory memory.limit_in_bytes=4096*", "memory memory.memsw.limit_in_bytes=12288"],
    ["unified memory.swap.max=8192", "unified memory.max=4096"],
  ],
  [
    "no swap at all",
    { memory: { limit: 4096n, swap: 4096n } },
    ["memory memory.limit_in_bytes=4096*", "memory memory.memsw.limit_in_bytes=4096"],
    ["unified memory.swap.max=0?", "unified memory.max=4096"],
  ],
  [
    "any swap",
    { memory: { limit: 4096n, swap: -1n } },
    ["memory memory.memsw.limit_in_bytes=-1?", "memory memory.limit_in_bytes=4096"],
    ["unified memory.swap.max=max?", "unified memory.max=4096"],
  ],
  [
    "swap without limit",
    { memory: { swap: 4096n } },
    ["memory memory.memsw.limit_in_bytes=4096"],
    [`${PATH}.memory.swap: unable to set swap limit without memory limit`],
  ],
  [
    "swap of an unlimited memory",
    { memory: { limit: -1n, swap: 4096n } },
    ["memory memory.limit_in_bytes=-1*", "memory memory.memsw.limit_in_bytes=4096"],
    ["unified memory.swap.max=4096", "unified memory.max=max"],
  ],
  [
    "swap below limit",
    { memory: { limit: 8192n, swap: 4096n } },
    ["memory memory.limit_in_bytes=8192*", "memory memory.memsw.limit_in_bytes=4096"],
    [`${PATH}.memory.swap: memory+swap limit 4096 should be >= memory limit 8192`],
  ],
  [
    "reservation",
    { memory: { reservation: 4096n } },
    ["memory memory.soft_limit_in_bytes=4096"],
    ["unified memory.low=4096"],
  ],
  [
    "no reservation",
    { memory: { reservation: -1n } },
    ["memory memory.soft_limit_in_bytes=-1"],
    ["unified memory.low=max"],
  ],
  [
    "swappiness, 0 too",
    { memory: { swappiness: 0n } },
    ["memory memory.swappiness=0"],
    [`${PATH}.memory.swappiness: cgroup v2 has no swappiness of its own for a cgroup`],
  ],
  [
    "disableOOMKiller",
    { memory: { disableOOMKiller: true } },
    ["memory memory.oom_control=1"],
    [`${PATH}.memory.disableOOMKiller: cgroup v2 cannot disable the OOM killer`],
  ],
  ["disableOOMKiller false", { memory: { disableOOMKiller: false } }, ["memory memory.oom_control=0?"], []],
  [
    "kernel memory is ignored, zeros ask for nothing",
    { memory: { kernel: 1n, kernelTCP: 2n, limit: 0n, swap: 0n, reservation: 0n, useHierarchy: true } },
    [],
    [],
  ],
  // cpu
  ["shares", { cpu: { shares: 1024n } }, ["cpu cpu.shares=1024"], ["unified cpu.weight=100"]],
  [
    "quota, period and burst",
    { cpu: { quota: 20000n, period: 50000n, burst: 1000n } },
    ["cpu cpu.cfs_period_us=50000*", "cpu cpu.cfs_burst_us=1000*", "cpu cpu.cfs_quota_us=20000"],
    ["unified cpu.max.burst=1000*", "unified cpu.max=20000 50000"],
  ],
  ["no quota", { cpu: { quota: -1n } }, ["cpu cpu.cfs_quota_us=-1"], ["unified cpu.max=max 100000"]],
  ["burst 0", { cpu: { burst: 0n } }, ["cpu cpu.cfs_burst_us=0?"], ["unified cpu.max.burst=0?"]],
  [
    "realtime",
    { cpu: { realtimePeriod: 1000000n, realtimeRuntime: 9000n } },
    ["cpu cpu.rt_period_us=1000000*", "cpu cpu.rt_runtime_us=9000"],
    [`${PATH}.cpu.realtimeRuntime: cgroup v2 does not control realtime processes`],
  ],
  [
    "realtime period alone",
    { cpu: { realtimePeriod: 1000000n } },
    ["cpu cpu.rt_period_us=1000000"],
    [`${PATH}.cpu.realtimePeriod: cgroup v2 does not control realtime processes`],
  ],
  ["idle takes no shares", { cpu: { idle: 1n, shares: 512n } }, ["cpu cpu.idle=1"], ["unified cpu.idle=1"]],
  [
    "shares after idleness",
    { cpu: { idle: 0n, shares: 512n } },
    ["cpu cpu.idle=0?", "cpu cpu.shares=512"],
    ["unified cpu.idle=0?", "unified cpu.weight=59"],
  ],
  [
    "cpus and mems",
    { cpu: { cpus: "0-1,3", mems: "0" } },
    ["cpuset cpuset.cpus=0-1,3", "cpuset cpuset.mems=0"],
    ["unified cpuset.cpus=0-1,3", "unified cpuset.mems=0"],
  ],
  // pids
  ["pids", { pids: { limit: 7n } }, ["pids pids.max=7"], ["unified pids.max=7"]],
  ["pids 0", { pids: { limit: 0n } }, ["pids pids.max=0"], ["unified pids.max=0"]],
  ["no limit of pids", { pids: { limit: -1n } }, ["pids pids.max=max"], ["unified pids.max=max"]],
  // blockIO
  [
    "weight",
    { blockIO: { weight: 500 } },
    ["blkio blkio.weight=500 | blkio.bfq.weight=500"],
    ["unified io.bfq.weight=500 | io.weight=4950"],
  ],
  [
    "leafWeight",
    { blockIO: { leafWeight: 10 } },
    ["blkio blkio.leaf_weight=10"],
    [`${PATH}.blockIO.leafWeight: cgroup v2 has no leaf weights`],
  ],
  [
    "weightDevice",
    { blockIO: { weightDevice: [{ ...device, weight: 10 }] } },
    ["blkio blkio.weight_device=8:16 10 | blkio.bfq.weight_device=8:16 10"],
    ["unified io.bfq.weight=8:16 10 | io.weight=8:16 1"],
  ],
  [
    "leafWeight of a device",
    { blockIO: { weightDevice: [{ ...device, weight: 20, leafWeight: 30 }] } },
    [
      "blkio blkio.weight_device=8:16 20 | blkio.bfq.weight_device=8:16 20",
      "blkio blkio.leaf_weight_device=8:16 30",
    ],
    [`${PATH}.blockIO.weightDevice[0].leafWeight: cgroup v2 has no leaf weights`],
  ],
  [
    "all limits of a device",
    {
      blockIO: {
        throttleReadBpsDevice: [{ ...device, rate: 1n }],
        throttleWriteBpsDevice: [{ ...device, rate: 2n }],
        throttleReadIOPSDevice: [{ ...device, rate: 3n }],
        throttleWriteIOPSDevice: [{ ...device, rate: 0n }],
      },
    },
    [
      "blkio blkio.throttle.read_bps_device=8:16 1",
      "blkio blkio.throttle.write_bps_device=8:16 2",
      "blkio blkio.throttle.read_iops_device=8:16 3",
      "blkio blkio.throttle.write_iops_device=8:16 0",
    ],
    [
      "unified io.max=8:16 rbps=1",
      "unified io.max=8:16 wbps=2",
      "unified io.max=8:16 riops=3",
      "unified io.max=8:16 wiops=max",
    ],
  ],
  ["weights of 0", { blockIO: { weight: 0, leafWeight: 0 } }, [], []],
  // the others
  [
    "hugepageLimits",
    { hugepageLimits: [{ pageSize: "2MB", limit: 4194304n }] },
    ["hugetlb hugetlb.2MB.limit_in_bytes=4194304", "hugetlb hugetlb.2MB.rsvd.limit_in_bytes=4194304?"],
    ["unified hugetlb.2MB.max=4194304", "unified hugetlb.2MB.rsvd.max=4194304?"],
  ],
  [
    "classID",
    { network: { classID: 1048577 } },
    ["net_cls net_cls.classid=1048577"],
    [`${PATH}.network.classID: cgroup v2 has no net_cls controller`],
  ],
  [
    "priorities",
    { network: { priorities: [{ name: "lo", priority: 5 }] } },
    ["net_prio net_prio.ifpriomap=lo 5"],
    [`${PATH}.network.priorities: cgroup v2 has no net_prio controller`],
  ],
  ["a network that asks for nothing", { network: { classID: 0, priorities: [] } }, [], []],
  [
    "rdma",
    { rdma: { mlx5_1: { hcaHandles: 3, hcaObjects: 10000 }, rxe3: { hcaObjects: 7 } } },
    ["rdma rdma.max=mlx5_1 hca_handle=3 hca_object=10000", "rdma rdma.max=rxe3 hca_object=7"],
    ["unified rdma.max=mlx5_1 hca_handle=3 hca_object=10000", "unified rdma.max=rxe3 hca_object=7"],
  ],
  [
    "unified: a write for each line, after all others",
    { unified: { "io.max": "8:0 rbps=1\n8:16 wiops=2\n", "pids.max": "3" }, pids: { limit: 9n } },
    [`${PATH}.unified: cannot use unified on cgroup v1`],
    [
      "unified pids.max=9",
      "unified io.max=8:0 rbps=1*",
      "unified io.max=8:16 wiops=2*",
      "unified pids.max=3*",
    ],
  ],
  ["unified without files, or values", { unified: {} }, [], []],
  [
    "unified with an empty value",
    { unified: { "memory.high": "" } },
    [`${PATH}.unified: cannot use unified on cgroup v1`],
    [],
  ],
  ...["../cgroup.procs", "a/b", "..", ""].map((key): Row => {
    const path = `${PATH}.unified[${JSON.stringify(key)}]`;
    const v1 = `${PATH}.unified: cannot use unified on cgroup v1`;
    return [
      `unified ${key}`,
      { unified: { [key]: "1" } },
      [v1],
      [`${path}: is not the name of a file in the cgroup`],
    ];
  }),
];
