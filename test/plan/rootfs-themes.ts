// The themes of the golden plans of the root file system: mounts and more, and which parts of a plan are printed.
import type { CgroupMounts, Facts } from "../../src/compile/facts.ts";
import type { Config, Linux, LinuxNamespace, Mount } from "../../src/spec/config.ts";
import { host } from "./facts.ts";

export const NONE: CgroupMounts = { hierarchies: [], links: [] };
const V1: CgroupMounts = {
  hierarchies: [
    { source: "/sys/fs/cgroup/cpu,cpuacct/demo", name: "cpu,cpuacct" },
    { source: "/sys/fs/cgroup/systemd/demo", name: "systemd" },
  ],
  links: [
    { name: "cpu", target: "cpu,cpuacct" },
    { name: "cpuacct", target: "cpu,cpuacct" },
  ],
};
const V2: CgroupMounts = { unified: "/sys/fs/cgroup/demo", hierarchies: [], links: [] };

export const facts: Facts = {
  ...host,
  mountPoints: [
    { path: "/", root: "/", fsType: "ext4", propagation: ["shared:1"] },
    { path: "/proc", root: "/", fsType: "proc", propagation: ["shared:2"] },
    { path: "/proc/sys/fs/binfmt_misc", root: "/", fsType: "binfmt_misc", propagation: [] },
    { path: "/sys", root: "/", fsType: "sysfs", propagation: ["shared:3"] },
    { path: "/part/sys", root: "/kernel", fsType: "sysfs", propagation: [] },
    { path: "/bundle", root: "/", fsType: "xfs", propagation: ["shared:4"] },
    { path: "/bundle/rootfs/proc", root: "/", fsType: "proc", propagation: [] },
    { path: "/bundle/root", root: "/", fsType: "xfs", propagation: [] },
  ],
  sources: new Map([
    ["/data", "directory"],
    ["/bundle/relative", "directory"],
    ["/etc/hosts", "file"],
  ]),
  cgroupMounts: NONE,
  boundingSet: 0n,
};

export interface Theme {
  readonly mounts?: readonly Mount[];
  readonly namespaces?: readonly LinuxNamespace["type"][];
  readonly linux?: Partial<Linux>;
  readonly config?: Partial<Config>;
  readonly cgroups?: CgroupMounts;
  readonly noPivot?: boolean;
  /** Which parts are printed. */
  readonly parts: readonly ("sources" | "attach" | "mounts" | "devices" | "enter" | "finish" | "paths")[];
}

const bind = (source: string, destination: string, ...options: string[]): Mount => ({
  destination,
  type: "bind",
  source,
  options,
});
const fs = (type: string, destination: string, ...options: string[]): Mount => ({
  destination,
  type,
  source: type,
  options,
});

const sameMaps = (hostID: number): Pick<Mount, "uidMappings" | "gidMappings"> => {
  const mappings = [{ containerID: 0, hostID, size: 1 }];
  return { uidMappings: mappings, gidMappings: mappings };
};

export const themes: Record<string, Theme> = {
  "bind-directory": { mounts: [bind("/data", "/srv/data", "rbind", "rw")], parts: ["sources", "mounts"] },
  "bind-file": { mounts: [bind("/etc/hosts", "/etc/hosts", "bind", "ro")], parts: ["sources", "mounts"] },
  "bind-relative": { mounts: [bind("relative", "srv/./x/../data/", "bind")], parts: ["sources", "mounts"] },
  "bind-attributes": {
    mounts: [
      bind("/data", "/a", "bind", "ro", "nosuid", "nodev", "noexec", "noatime"),
      bind("/data", "/b", "rbind", "rw", "suid", "rro", "rnosymfollow", "rstrictatime"),
      bind("/data", "/c", "rbind", "rslave", "rshared"),
    ],
    parts: ["sources", "mounts"],
  },
  "bind-id-mapped": {
    mounts: [
      { ...bind("/data", "/a", "bind", "idmap"), ...sameMaps(7) },
      { ...bind("/data", "/b", "rbind", "ro", "ridmap"), ...sameMaps(7) },
      bind("/data", "/c", "bind", "idmap=uids=0-1-2#2-9-1;gids=0-5-1"),
    ],
    parts: ["sources", "mounts"],
  },
  "bind-id-mapped-by-user-namespace": {
    mounts: [bind("/data", "/a", "rbind", "idmap")],
    namespaces: ["mount", "user"],
    linux: {
      uidMappings: [{ containerID: 0, hostID: 100000, size: 65536 }],
      gidMappings: [{ containerID: 0, hostID: 200000, size: 65536 }],
    },
    parts: ["sources"],
  },
  "proc-and-links-into-it": {
    mounts: [
      fs("proc", "/proc"),
      fs("tmpfs", "/tmp", "mode=1777"),
      bind("/etc/hosts", "/proc/uptime", "bind"),
    ],
    parts: ["mounts"],
  },
  "bound-proc": { mounts: [bind("/proc", "/proc", "rbind")], parts: ["mounts"] },
  sysfs: { mounts: [fs("sysfs", "/sys", "nosuid", "noexec", "nodev", "ro")], parts: ["mounts"] },
  "tmpfs-mode": { mounts: [fs("tmpfs", "/tmp", "size=64k")], parts: ["mounts"] },
  "tmpfs-read-only": { mounts: [fs("tmpfs", "/run", "ro", "mode=755")], parts: ["mounts", "finish"] },
  tmpcopyup: { mounts: [fs("tmpfs", "/etc", "tmpcopyup")], parts: ["mounts"] },
  "superblock-flags": {
    mounts: [fs("ext4", "/mnt", "ro", "sync", "dirsync", "lazytime", "mand", "data=journal", "usrquota")],
    parts: ["mounts"],
  },
  "data-in-quotes": {
    mounts: [fs("tmpfs", "/mnt", 'size=1k,context="a:b:c0,c1"', "mode=700")],
    parts: ["mounts"],
  },
  "mount-call": {
    mounts: [
      fs("overlay", "/long", `lowerdir=/${"x".repeat(260)}`, "ro", "noexec"),
      fs("tmpfs", "/flags", "iversion", "silent", "private"),
    ],
    parts: ["mounts"],
  },
  remount: { mounts: [fs("tmpfs", "/dev", "remount", "ro", "size=1m")], parts: ["mounts"] },
  "cgroup-v1": { mounts: [fs("cgroup", "/sys/fs/cgroup", "ro")], cgroups: V1, parts: ["sources", "mounts"] },
  "cgroup-v1-namespace": {
    mounts: [fs("cgroup", "/sys/fs/cgroup", "ro", "rslave")],
    cgroups: V1,
    namespaces: ["mount", "cgroup"],
    parts: ["sources", "mounts"],
  },
  "cgroup-v2": { mounts: [fs("cgroup", "/sys/fs/cgroup", "ro")], cgroups: V2, parts: ["sources", "mounts"] },
  "cgroup-v2-namespace": {
    mounts: [fs("cgroup2", "/sys/fs/cgroup", "ro", "nsdelegate")],
    cgroups: V2,
    namespaces: ["mount", "cgroup"],
    parts: ["sources", "mounts"],
  },
  devices: {
    linux: {
      devices: [
        { type: "c", path: "/dev/fuse", major: 10n, minor: 229n },
        { type: "b", path: "/dev/deep/disk", major: 259n, minor: 300n, fileMode: 0o660, uid: 1, gid: 6 },
        { type: "p", path: "/run/pipe", fileMode: 0o600 },
        { type: "c", path: "/dev/null", major: 1n, minor: 3n, fileMode: 0o444 },
      ],
    },
    parts: ["devices"],
  },
  "devices-in-user-namespace": {
    namespaces: ["mount", "user"],
    linux: { devices: [{ type: "p", path: "/dev/pipe" }] },
    parts: ["sources", "devices"],
  },
  "devices-of-a-bound-dev": { mounts: [bind("/data", "/dev", "bind")], parts: ["devices"] },
  enter: {
    config: { root: { path: "rootfs", readonly: true } },
    parts: ["sources", "attach", "enter", "finish"],
  },
  "enter-without-pivot": { noPivot: true, parts: ["attach", "enter"] },
  "enter-without-mount-namespace": {
    namespaces: ["pid"],
    mounts: [fs("tmpfs", "/tmp", "mode=1777")],
    config: { root: { path: "rootfs", readonly: true } },
    linux: { rootfsPropagation: "shared" },
    parts: ["sources", "attach", "mounts", "enter", "finish"],
  },
  ...Object.fromEntries(
    (["shared", "rshared", "slave", "private", "runbindable"] as const).map((value) => [
      `propagation-${value}`,
      {
        linux: { rootfsPropagation: value },
        mounts: [bind("/data", "/data", "rbind")],
        parts: ["sources", "attach", "finish"],
      } satisfies Theme,
    ]),
  ),
  paths: {
    linux: { maskedPaths: ["/proc/kcore", "/sys/firmware/"], readonlyPaths: ["/proc/sys", "/proc/sys"] },
    parts: ["paths"],
  },
  "paths-to-root": {
    linux: { maskedPaths: ["/secret", "/sys/firmware"], readonlyPaths: ["/etc", "/sys/.."] },
    parts: ["paths"],
  },
  sysctl: {
    linux: { sysctl: { "net.ipv4.conf.eno2/100.rp_filter": "1", "kernel/shmmax": "2" } },
    parts: ["paths"],
  },
  cwd: { config: { process: { cwd: "/srv//app", user: { uid: 0, gid: 0 } } as never }, parts: ["finish"] },
};
