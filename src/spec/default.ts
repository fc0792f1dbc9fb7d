// The config.json that `spec` writes: the same in content as runc's, so that guides written for runc hold.
import { SPEC_VERSION } from "./state.ts";

export interface DefaultSpecOptions {
  /** Makes a config for a caller without privileges, whose ids are mapped to the container's root. */
  readonly rootless?: { readonly uid: number; readonly gid: number };
  /** Adds a cgroup namespace; runc does so where the host has cgroup v2 only. */
  readonly cgroupNamespace?: boolean;
}

interface DefaultMount {
  readonly destination: string;
  readonly type: string;
  readonly source: string;
  readonly options?: readonly string[];
}

const CAPABILITIES = ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"];

const MOUNTS: readonly DefaultMount[] = [
  { destination: "/proc", type: "proc", source: "proc" },
  {
    destination: "/dev",
    type: "tmpfs",
    source: "tmpfs",
    options: ["nosuid", "strictatime", "mode=755", "size=65536k"],
  },
  {
    destination: "/dev/pts",
    type: "devpts",
    source: "devpts",
    options: ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
  },
  {
    destination: "/dev/shm",
    type: "tmpfs",
    source: "shm",
    options: ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"],
  },
  {
    destination: "/dev/mqueue",
    type: "mqueue",
    source: "mqueue",
    options: ["nosuid", "noexec", "nodev"],
  },
  { destination: "/sys", type: "sysfs", source: "sysfs", options: ["nosuid", "noexec", "nodev", "ro"] },
  {
    destination: "/sys/fs/cgroup",
    type: "cgroup",
    source: "cgroup",
    options: ["nosuid", "noexec", "nodev", "relatime", "ro"],
  },
];

const MASKED_PATHS = [
  "/proc/acpi",
  "/proc/asound",
  "/proc/kcore",
  "/proc/keys",
  "/proc/latency_stats",
  "/proc/timer_list",
  "/proc/timer_stats",
  "/proc/sched_debug",
  "/sys/firmware",
  "/proc/scsi",
];

const READONLY_PATHS = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/** sysfs can only be mounted by the owner of the network namespace, and only the mapped ids can be named. */
function makeMountRootless(mount: DefaultMount): DefaultMount {
  if (mount.destination === "/sys") {
    const options = ["rbind", "nosuid", "noexec", "nodev", "ro"];
    return { destination: "/sys", type: "none", source: "/sys", options };
  }
  if (mount.options === undefined) return mount;
  const options = mount.options.filter((option) => !option.startsWith("gid=") && !option.startsWith("uid="));
  return { ...mount, options };
}

/** Text of a config.json to start from: a terminal with `sh` in `rootfs`, read-only. */
export function defaultSpec(options: DefaultSpecOptions = {}): string {
  const { rootless, cgroupNamespace } = options;
  const types = ["pid", "network", "ipc", "uts", "mount", ...(cgroupNamespace ? ["cgroup"] : [])];
  const namespaces = rootless ? [...types.filter((type) => type !== "network"), "user"] : types;
  const mapping = (hostID: number) => [{ containerID: 0, hostID, size: 1 }];
  const spec = {
    ociVersion: SPEC_VERSION,
    process: {
      terminal: true,
      user: { uid: 0, gid: 0 },
      args: ["sh"],
      env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"],
      cwd: "/",
      // No inheritable ones: CVE-2022-29162.
      capabilities: { bounding: CAPABILITIES, effective: CAPABILITIES, permitted: CAPABILITIES },
      rlimits: [{ type: "RLIMIT_NOFILE", hard: 1024, soft: 1024 }],
      noNewPrivileges: true,
    },
    root: { path: "rootfs", readonly: true },
    hostname: "tsrunc",
    mounts: rootless ? MOUNTS.map(makeMountRootless) : MOUNTS,
    linux: {
      ...(rootless
        ? { uidMappings: mapping(rootless.uid), gidMappings: mapping(rootless.gid) }
        : { resources: { devices: [{ allow: false, access: "rwm" }] } }),
      namespaces: namespaces.map((type) => ({ type })),
      maskedPaths: MASKED_PATHS,
      readonlyPaths: READONLY_PATHS,
    },
  };
  return JSON.stringify(spec, null, "\t");
}
