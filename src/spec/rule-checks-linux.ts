// The checks of rules.ts for config-linux.md that are longer than a line.
import { seccompReceiver } from "./annotations.ts";
import type { Finding, Findings } from "./check.ts";
import type { Config } from "./config-schema.ts";
import type { LinuxDevice } from "./devices.ts";
import { readIdmap } from "./idmapped-mount.ts";
import type { MemoryPolicy } from "./memory-policy.ts";
import type { IdMapping } from "./namespaces.ts";
import type { NetDevices } from "./net-devices.ts";
import { quote, type Segments } from "./problems.ts";
import type { Mount } from "./root.ts";
import { findNamespace, isBind, wordNeed } from "./rule-checks.ts";
import type { Seccomp, SeccompSyscall } from "./seccomp.ts";
import { sysctlNamespace, sysctlPath } from "./sysctl.ts";

/** A map is written at once, and as less than a page (map_write of the kernel's user_namespace.c). */
const MAP_BYTES = 4096;

/** Maps that the kernel refuses (user_namespaces(7)): too many lines, empty, past the end, overlapping. */
export function checkIdMappings(mappings: readonly IdMapping[]): Finding[] {
  if (mappings.length > 340) return [`has ${mappings.length} entries; the kernel takes 340`];
  const length = mappings.reduce((sum, m) => sum + `${m.containerID} ${m.hostID} ${m.size}\n`.length, 0);
  if (length >= MAP_BYTES) return [`makes a map of ${length} bytes; the kernel takes ${MAP_BYTES - 1}`];
  const findings: Finding[] = [];
  for (const [index, { size, containerID, hostID }] of mappings.entries()) {
    if (size === 0) findings.push({ at: [index, "size"], message: "must not be 0" });
    else if (Math.max(containerID, hostID) + size > 0xffff_ffff) {
      findings.push({ at: [index], message: "goes beyond the last id, 4294967294" });
    }
  }
  for (const member of ["containerID", "hostID"] as const) {
    const sorted = [...mappings.entries()].sort(([, a], [, b]) => a[member] - b[member]);
    for (const [place, [index, mapping]] of sorted.entries()) {
      const [otherIndex, other] = sorted[place - 1] ?? [0, undefined];
      if (other !== undefined && other[member] + other.size > mapping[member]) {
        findings.push({ at: [index, member], message: `overlaps with entry ${otherIndex}` });
      }
    }
  }
  return findings;
}

/** config.md: both maps or none; an id mapping is a property of a bind mount. */
export function checkIdmappedMount(mount: Mount, config: Config): Findings {
  const { value, problems } = readIdmap(config, mount);
  if (value === undefined && problems.length === 0) return undefined;
  const written = value?.option === undefined ? [] : (["uid", "gid"] as const);
  const lists = written.flatMap((kind) =>
    checkIdMappings(value?.maps?.[kind] ?? []).map((finding) => {
      const { at = [], message } = typeof finding === "string" ? { message: finding } : finding;
      const entry = at.length > 0 ? `entry ${at[0]} ` : "";
      return { at: ["options", value?.option ?? 0], message: `${kind}s: ${entry}${message}` };
    }),
  );
  return [...(!isBind(mount) ? ["id mapping is for bind mounts only"] : []), ...problems, ...lists];
}

/** A new user namespace needs both maps, another none. */
export function checkUserNamespace(config: Config): Finding[] {
  const user = findNamespace(config, "user");
  const findings: Finding[] = [];
  for (const name of ["uidMappings", "gidMappings"] as const) {
    const isPresent = (config.linux?.[name]?.length ?? 0) > 0;
    const at = ["linux", name];
    if (user === undefined && isPresent) findings.push({ at, message: wordNeed("user") });
    if (user !== undefined && user.path === undefined && !isPresent)
      findings.push({ at, message: "is required for a new user namespace" });
  }
  return findings;
}

/** setresuid(2) and setgroups(2) refuse an id that the user namespace does not map. */
export function checkMappedIds(config: Config): Finding[] {
  const user = config.process?.user;
  const namespace = findNamespace(config, "user");
  if (user === undefined || namespace === undefined || namespace.path !== undefined) return [];
  const find = (name: "uidMappings" | "gidMappings", value: number, at: readonly (string | number)[]) => {
    const mappings = config.linux?.[name] ?? [];
    if (mappings.length === 0) return [];
    const mapped = mappings.some((m) => value >= m.containerID && value < m.containerID + m.size);
    return mapped
      ? []
      : [{ at: ["process", "user", ...at], message: `${value} is not mapped by linux.${name}` }];
  };
  return [
    ...find("uidMappings", user.uid, ["uid"]),
    ...find("gidMappings", user.gid, ["gid"]),
    ...(user.additionalGids ?? []).flatMap((gid, i) => find("gidMappings", gid, ["additionalGids", i])),
  ];
}

export function checkTimeOffsets(offsets: Readonly<Record<string, unknown>>, config: Config): Finding[] {
  const names = Object.keys(offsets);
  if (names.length === 0) return [];
  const time = findNamespace(config, "time");
  const findings: Finding[] = [];
  if (time === undefined) findings.push(wordNeed("time"));
  else if (time.path !== undefined) findings.push("cannot be set in a time namespace that is joined");
  for (const name of names) {
    if (name === "monotonic" || name === "boottime") continue;
    findings.push({ at: [name], message: "must be monotonic or boottime" });
  }
  return findings;
}

/** Numbers that fit the kernel's dev_t: 12 bits for major, 20 for minor. */
export function checkDevice(device: LinuxDevice): Finding[] {
  if (device.type === "p") return [];
  return (["major", "minor"] as const).flatMap((name) => {
    const value = device[name];
    const largest = name === "major" ? 4095n : 1048575n;
    if (value === undefined) return [{ at: [name], message: `is required for type ${device.type}` }];
    if (value >= 0n && value <= largest) return [];
    return [{ at: [name], message: `must be from 0 to ${largest}, not ${value}` }];
  });
}

/** The same path for two different devices. Repeating a device as it is does no harm. */
export function checkDevicePaths(devices: readonly LinuxDevice[]): Finding[] {
  const seen = new Map<string, LinuxDevice>();
  return devices.flatMap((device, index) => {
    const first = seen.get(device.path) ?? device;
    seen.set(device.path, first);
    const same = first.type === device.type && first.major === device.major && first.minor === device.minor;
    return same ? [] : [{ at: [index, "path"], message: `${device.path} stands in the list twice` }];
  });
}

export function checkSysctls(sysctls: Readonly<Record<string, string>>, config: Config): Finding[] {
  const findings: Finding[] = [];
  for (const name of Object.keys(sysctls)) {
    const message = checkSysctl(name, config);
    if (message !== undefined) findings.push({ at: [name], message });
  }
  return findings;
}

function checkSysctl(name: string, config: Config): string | undefined {
  const path = sysctlPath(name);
  if (path === undefined) return "is not the name of a kernel parameter";
  const type = sysctlNamespace(path);
  const field = path === "kernel/hostname" ? "hostname" : "domainname";
  if (type === "uts" && config[field] !== undefined) return `conflicts with ${field}`;
  if (type !== undefined && findNamespace(config, type) !== undefined) return undefined;
  const hint = type === undefined ? "" : `: ${wordNeed(type)}`;
  return `sysctl ${JSON.stringify(name)} is not in a separate kernel namespace${hint}`;
}

/** Name of a network device: dev_valid_name() of the kernel, and the length of IFNAMSIZ. */
function isDeviceName(name: string): boolean {
  const isWord = name !== "" && name !== "." && name !== ".." && !/[/:\s]/.test(name);
  return isWord && Buffer.byteLength(name) <= 15;
}

/** In the container a name may be a template with one `%d`, which several devices can share (__dev_alloc_name()). */
export function checkNetDevices(devices: NetDevices, config: Config): Finding[] {
  const findings: Finding[] = [];
  const entries = Object.entries(devices);
  if (entries.length > 0 && findNamespace(config, "network") === undefined)
    findings.push(wordNeed("network"));
  const taken = new Map<string, string>();
  for (const [name, device] of entries) {
    if (!isDeviceName(name) || name.includes("%"))
      findings.push({ at: [name], message: `${quote(name)} is not a name of a network device` });
    const newName = device.name ?? name;
    const parts = newName.split("%");
    const other = parts.length === 1 ? taken.get(newName) : undefined;
    const at = device.name === undefined ? [name] : [name, "name"];
    if (
      device.name !== undefined &&
      (!isDeviceName(newName) || (parts.length > 1 && !/^[^%]*%d[^%]*$/.test(newName)))
    )
      findings.push({ at, message: `${quote(newName)} is not a name of a network device` });
    else if (other !== undefined)
      findings.push({ at, message: `is the name of ${other} in the container already` });
    taken.set(newName, name);
  }
  return findings;
}

/** MAX_NUMNODES of the kernel is this plus one at most (NODES_SHIFT). */
const LARGEST_NODE = 1023;

export function checkMemoryPolicy({ mode, nodes, flags = [] }: MemoryPolicy): Finding[] {
  const findings: Finding[] = [];
  const takesNone = mode === "MPOL_DEFAULT" || mode === "MPOL_LOCAL";
  if (takesNone && nodes !== undefined)
    findings.push({ at: ["nodes"], message: `must be empty for ${mode}` });
  if (!takesNone && mode !== "MPOL_PREFERRED" && nodes === undefined)
    findings.push({ at: ["nodes"], message: `is required for ${mode}` });
  if (nodes?.split(/[,-]/).some((node) => Number(node) > LARGEST_NODE))
    findings.push({ at: ["nodes"], message: `must not have a node above ${LARGEST_NODE}: ${quote(nodes)}` });
  if (flags.includes("MPOL_F_STATIC_NODES") && flags.includes("MPOL_F_RELATIVE_NODES"))
    findings.push({
      at: ["flags"],
      message: "must not have both MPOL_F_STATIC_NODES and MPOL_F_RELATIVE_NODES",
    });
  if (flags.includes("MPOL_F_NUMA_BALANCING") && mode !== "MPOL_BIND" && mode !== "MPOL_PREFERRED_MANY")
    findings.push({
      at: ["flags"],
      message: "MPOL_F_NUMA_BALANCING is for MPOL_BIND and MPOL_PREFERRED_MANY only",
    });
  return findings;
}

/** The largest data of an action: of an errno the kernel's MAX_ERRNO, of which libseccomp takes those below. */
const LARGEST_DATA: Readonly<Record<string, number>> = { SCMP_ACT_ERRNO: 4094, SCMP_ACT_TRACE: 0xffff };

function checkErrno(action: string, errno: number | undefined): string | undefined {
  if (errno === undefined) return undefined;
  const largest = LARGEST_DATA[action];
  if (largest === undefined) return `cannot be used with ${action}`;
  return errno <= largest ? undefined : `must be from 0 to ${largest}, not ${errno}`;
}

export function checkSeccomp(seccomp: Seccomp, config: Config): Finding[] {
  const findings: Finding[] = [];
  const { defaultAction, syscalls = [], flags = [] } = seccomp;
  const listener = seccomp.listenerPath ?? seccompReceiver(config);
  let notifies = false;
  for (const { action } of syscalls) if (action === "SCMP_ACT_NOTIFY") notifies = true;
  if (defaultAction === "SCMP_ACT_NOTIFY") {
    findings.push({ at: ["defaultAction"], message: "must not be SCMP_ACT_NOTIFY" });
  }
  if (seccomp.listenerMetadata !== undefined && listener === undefined) {
    findings.push({ at: ["listenerMetadata"], message: "needs listenerPath" });
  }
  if (listener === undefined && notifies) {
    findings.push({ at: ["listenerPath"], message: "is required for SCMP_ACT_NOTIFY" });
  }
  const waits = flags.indexOf("SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV");
  if (waits >= 0 && !notifies) {
    findings.push({ at: ["flags", waits], message: "needs a rule with SCMP_ACT_NOTIFY" });
  }
  const message = checkErrno(defaultAction, seccomp.defaultErrnoRet);
  if (message !== undefined) findings.push({ at: ["defaultErrnoRet"], message });
  let index = 0;
  for (const syscall of syscalls) checkSyscall(syscall, ["syscalls", index++], findings);
  return findings;
}

function checkSyscall({ names, action, errnoRet }: SeccompSyscall, at: Segments, findings: Finding[]): void {
  if (names.length === 0) findings.push({ at: [...at, "names"], message: "must have at least one entry" });
  const message = checkErrno(action, errnoRet);
  if (message !== undefined) findings.push({ at: [...at, "errnoRet"], message });
  // The runtime itself still has to write, to tell that the filter is in place.
  const write = action === "SCMP_ACT_NOTIFY" ? names.indexOf("write") : -1;
  if (write >= 0)
    findings.push({ at: [...at, "names", write], message: "write cannot be used with SCMP_ACT_NOTIFY" });
}
