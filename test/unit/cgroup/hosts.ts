// Mount tables and cgroup lists of hosts with each layout.
import { detectCgroupLayout } from "../../../src/cgroup/layout.ts";
import type { CgroupLayout } from "../../../src/cgroup/types.ts";

const mountV1 = (id: number, name: string, options: string, root = "/"): string =>
  `${id} 31 0:${id} ${root} /sys/fs/cgroup/${name} rw,nosuid shared:${id} - cgroup cgroup rw,${options}`;
const TMPFS = "31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755";
const UNIFIED = "60 31 0:60 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw,nsdelegate";

/** Every controller for itself; cgroup2 beside them. */
export const hybrid: CgroupLayout = detectCgroupLayout(
  [
    TMPFS,
    ...["cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "pids"].map((name, i) =>
      mountV1(40 + i, name, name),
    ),
    mountV1(50, "systemd", "name=systemd"),
    UNIFIED,
    "",
  ].join("\n"),
  "9:name=systemd:/\n8:pids:/\n6:freezer:/\n5:devices:/\n4:memory:/shop/floor\n3:cpuset:/\n2:cpuacct:/\n1:cpu:/\n0::/\n",
);

/** As systemd mounts v1: some controllers together, and a further named hierarchy. */
export const v1: CgroupLayout = detectCgroupLayout(
  [
    TMPFS,
    mountV1(40, "cpu,cpuacct", "xattr,cpu,cpuacct"),
    mountV1(41, "net_cls,net_prio", "net_cls,net_prio"),
    mountV1(42, "devices", "devices"),
    mountV1(43, "memory", "memory"),
    mountV1(44, "pids", "pids"),
    mountV1(45, "systemd", "xattr,name=systemd"),
    mountV1(46, "openrc", "name=openrc"),
  ].join("\n"),
  "7:name=openrc:/ssh\n6:name=systemd:/user\n5:pids:/user\n4:memory:/user\n3:devices:/user\n2:net_cls,net_prio:/\n1:cpu,cpuacct:/user\n",
);

/** Inside a container without a cgroup namespace: the mounts show its own cgroup only. */
export const nested: CgroupLayout = detectCgroupLayout(
  [mountV1(42, "devices", "devices", "/docker/abc"), mountV1(43, "memory", "memory", "/docker/abc")].join(
    "\n",
  ),
  "2:memory:/docker/abc\n1:devices:/docker/abc/below\n",
);

/** Unified, with this process in a systemd scope. */
export const v2: CgroupLayout = detectCgroupLayout(
  "29 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n",
  "0::/user.slice/session-1.scope\n",
);

export const none: CgroupLayout = detectCgroupLayout("21 1 8:1 / / rw - ext4 /dev/sda1 rw\n", "0::/\n");
