// Rules that the schemas cannot say: across members, and about what a value means. One table, one row each.
import { checkAnnotations } from "./annotations.ts";
import { type Found, type Rule, rule } from "./check.ts";
import type { Config } from "./config-schema.ts";
import { quote, type Segments } from "./problems.ts";
import {
  checkAbsolute,
  checkLength,
  checkMaskedPath,
  checkMount,
  checkNumberList,
  checkRlimit,
  checkScheduler,
  checkUnique,
  checkVersion,
  needNamespace,
} from "./rule-checks.ts";
import {
  checkDevice,
  checkDevicePaths,
  checkIdMappings,
  checkIdmappedMount,
  checkMappedIds,
  checkMemoryPolicy,
  checkNetDevices,
  checkSeccomp,
  checkSysctls,
  checkTimeOffsets,
  checkUserNamespace,
} from "./rule-checks-linux.ts";

const NAMESPACES = ["linux.namespaces"];
const USER_NAMESPACE = [...NAMESPACES, "linux.uidMappings", "linux.gidMappings"];

/** __NEW_UTS_LEN of the kernel. */
const UTS_LENGTH = 64;

/** Apart from its caller, which is rarely in doubt: naming Buffer alone makes the engine set it up. */
function countBytes(text: string): number {
  return Buffer.byteLength(text);
}

function checkUtsName(name: string, config: Config) {
  // A UTF-16 unit is at most three bytes.
  const isShort = name.length * 3 <= UTS_LENGTH || countBytes(name) <= UTS_LENGTH;
  return isShort ? needNamespace(config, "uts") : `must not be longer than ${UTS_LENGTH} bytes`;
}

const checkPath = (path: string) => (path === "" ? "must not be empty" : checkLength(path));
const atLeastUnlimited = (value: bigint) => (value < -1n ? `must be -1 or more, not ${value}` : undefined);
function isMadeOf(letters: string, text: string): boolean {
  for (const letter of text) if (!letters.includes(letter)) return false;
  return true;
}
const oneLine = (text: string) => (text.includes("\n") ? "must not have a newline" : undefined);

export const RULES: readonly Rule[] = [
  // config.md
  rule("ociVersion", "config.md Specification version", checkVersion),
  rule("root.path", "config.md Root", checkPath),
  rule("hostname", "config.md Hostname; sethostname(2)", checkUtsName, NAMESPACES),
  rule("domainname", "config.md Domainname; setdomainname(2)", checkUtsName, NAMESPACES),
  rule("annotations", "config.md Annotations; crun(1)", checkAnnotations),

  rule("mounts.*.destination", "config.md Mounts", checkPath),
  rule("mounts.*", "config.md Mounts; mount(2)", checkMount),
  rule("mounts.*", "config.md POSIX-platform Mounts, idmap", checkIdmappedMount, USER_NAMESPACE),
  rule("mounts.*.uidMappings", "mount_setattr(2)", checkIdMappings),
  rule("mounts.*.gidMappings", "mount_setattr(2)", checkIdMappings),

  rule("process.cwd", "config.md Process", checkAbsolute),
  rule(
    "process",
    "config.md Process",
    (process) =>
      process.args === undefined || process.args.length === 0
        ? { at: ["args"], message: "must have at least one entry" }
        : undefined,
    ["process.args"],
  ),
  rule("process.env.*", "environ(7)", (entry) =>
    entry.indexOf("=") > 0 ? undefined : `must be NAME=VALUE, not ${quote(entry)}`,
  ),
  rule("process.rlimits.*", "setrlimit(2)", checkRlimit),
  rule("process.rlimits", "config.md POSIX process", (rlimits) =>
    checkUnique(rlimits, "type", ({ type }) => type),
  ),
  rule("process.scheduler", "config.md Linux Process; sched_setattr(2)", checkScheduler),
  rule("process.execCPUAffinity.*", "config.md Linux Process", checkNumberList),

  rule("hooks.*.*.path", "config.md POSIX-platform Hooks", checkAbsolute),
  rule("hooks.*.*.timeout", "config.md POSIX-platform Hooks", (seconds) =>
    seconds > 0 ? undefined : `must be greater than 0, not ${seconds}`,
  ),

  // config-linux.md
  rule("linux.namespaces", "config-linux.md Namespaces", (namespaces) =>
    checkUnique(namespaces, "type", ({ type }) => type),
  ),
  rule("linux.namespaces.*.path", "config-linux.md Namespaces", checkAbsolute),
  rule("linux.uidMappings", "user_namespaces(7)", checkIdMappings),
  rule("linux.gidMappings", "user_namespaces(7)", checkIdMappings),
  rule("", "user_namespaces(7)", checkUserNamespace, USER_NAMESPACE),
  rule("", "setresuid(2), setgroups(2)", checkMappedIds, [...USER_NAMESPACE, "process.user"]),
  rule("linux.timeOffsets", "config-linux.md Offset for Time Namespace", checkTimeOffsets, NAMESPACES),

  rule("linux.devices.*.path", "config-linux.md Devices", checkAbsolute),
  rule("linux.devices.*", "config-linux.md Devices; makedev(3)", checkDevice),
  rule("linux.devices", "config-linux.md Devices", checkDevicePaths),
  rule("linux.netDevices", "config-linux.md Network Devices", checkNetDevices, NAMESPACES),

  rule("linux.cgroupsPath", "cgroups are never made outside of their mount", (path) =>
    path.split("/").includes("..") ? `must not have "..": ${quote(path)}` : undefined,
  ),
  rule("linux.resources.devices.*.major", "config-linux.md Allowed Device list", atLeastUnlimited),
  rule("linux.resources.devices.*.minor", "config-linux.md Allowed Device list", atLeastUnlimited),
  rule("linux.resources.devices.*.access", "config-linux.md Allowed Device list", (access) =>
    isMadeOf("rwm", access) ? undefined : `must be made of r, w and m, not ${quote(access)}`,
  ),
  rule("linux.resources.memory.limit", "config-linux.md Memory", atLeastUnlimited),
  rule("linux.resources.memory.reservation", "config-linux.md Memory", atLeastUnlimited),
  rule("linux.resources.memory.swap", "config-linux.md Memory", atLeastUnlimited),
  rule("linux.resources.memory.swappiness", "config-linux.md Memory", (value) =>
    value <= 100n ? undefined : `must be from 0 to 100, not ${value}`,
  ),
  rule("linux.resources.memory.useHierarchy", "Linux 5.11: every memory cgroup is hierarchical", (value) =>
    value ? undefined : "must be true: the kernel has no other accounting of memory",
  ),
  rule("linux.resources.cpu", "config-linux.md CPU", ({ quota, burst }) =>
    quota !== undefined && burst !== undefined && quota > 0n && burst > quota
      ? { at: ["burst"], message: `${burst} is larger than quota, ${quota}` }
      : undefined,
  ),
  rule("linux.resources.cpu.cpus", "cpuset(7)", checkNumberList),
  rule("linux.resources.cpu.mems", "cpuset(7)", checkNumberList),
  rule("linux.resources.cpu.idle", "config-linux.md CPU", (idle) =>
    idle === 0n || idle === 1n ? undefined : `must be 0 or 1, not ${idle}`,
  ),
  rule("linux.resources.pids.limit", "config-linux.md PIDs", atLeastUnlimited),
  rule("linux.resources.blockIO.weightDevice.*", "config-linux.md Block IO", ({ weight, leafWeight }) =>
    weight === undefined && leafWeight === undefined ? "needs weight or leafWeight" : undefined,
  ),
  rule("linux.resources.hugepageLimits.*.pageSize", "config-linux.md Huge page limits", (size) =>
    /^[1-9]\d*[KMG]B$/.test(size) ? undefined : `must be a size such as 2MB, not ${quote(size)}`,
  ),
  rule("linux.resources.rdma.*", "config-linux.md RDMA", ({ hcaHandles, hcaObjects }) =>
    hcaHandles === undefined && hcaObjects === undefined ? "needs hcaHandles or hcaObjects" : undefined,
  ),
  rule("linux.resources.unified", "files of the container's own cgroup only", (files) =>
    Object.keys(files).flatMap((name) =>
      name === "" || name === "." || name === ".." || name.includes("/")
        ? [{ at: [name], message: "is not the name of a file in the cgroup" }]
        : [],
    ),
  ),

  rule("linux.intelRdt.closID", "config-linux.md IntelRdt", (name) =>
    name !== "/" && (name === "." || name === ".." || name.includes("/"))
      ? `${quote(name)} is not the name of a directory in resctrl`
      : undefined,
  ),
  rule("linux.intelRdt.memBwSchema", "config-linux.md IntelRdt", (text) =>
    text.startsWith("MB:") ? oneLine(text) : `must begin with MB:, not ${quote(text)}`,
  ),
  rule("linux.intelRdt.schemata.*", "config-linux.md IntelRdt", oneLine),
  rule("linux.memoryPolicy", "set_mempolicy(2)", checkMemoryPolicy),
  rule("linux.memoryPolicy.nodes", "config-linux.md Memory policy", checkNumberList),
  rule("linux.sysctl", "namespaces(7)", checkSysctls, [...NAMESPACES, "hostname", "domainname"]),
  rule("linux.seccomp", "config-linux.md Seccomp", checkSeccomp, ["annotations"]),

  rule("linux.maskedPaths.*", "config-linux.md Masked Paths", checkMaskedPath),
  rule("linux.readonlyPaths.*", "config-linux.md Readonly Paths", checkAbsolute),
  rule(
    "linux.maskedPaths",
    "masking in the host's mount namespace would mask the host",
    (paths, config) => (paths.length > 0 ? needNamespace(config, "mount") : undefined),
    NAMESPACES,
  ),
  rule(
    "linux.readonlyPaths",
    "as for maskedPaths",
    (paths, config) => (paths.length > 0 ? needNamespace(config, "mount") : undefined),
    NAMESPACES,
  ),
  rule("linux.personality.flags", "config-linux.md Personality", (flags) =>
    flags.length > 0 ? "must be empty: no flag is defined" : undefined,
  ),
];

/** Strings of a config that the kernel would cut at a NUL byte. Annotations never reach the kernel. */
export function findNulBytes(config: Config): Found[] {
  const found: Found[] = [];
  if (typeof config !== "object" || config === null || Array.isArray(config)) return found;
  const search = (value: unknown, path: Segments): void => {
    if (typeof value === "string") {
      if (value.includes("\0")) found.push({ segments: path, message: "must not have a NUL byte" });
    } else if (Array.isArray(value)) {
      for (const [index, item] of value.entries()) search(item, [...path, index]);
    } else if (typeof value === "object" && value !== null) {
      for (const [key, item] of Object.entries(value)) {
        if (key.includes("\0")) {
          found.push({ segments: [...path, key], message: "must not have a NUL byte in its name" });
        }
        search(item, [...path, key]);
      }
    }
  };
  const { annotations: _, ...rest } = config;
  search(rest, []);
  return found;
}
