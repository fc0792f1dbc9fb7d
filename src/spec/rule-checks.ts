// The checks of rules.ts for config.md, and those that several rows share, that are longer than a line.
import type { Finding, Findings } from "./check.ts";
import type { Config } from "./config-schema.ts";
import type { NamespaceType } from "./namespaces.ts";
import { quote } from "./problems.ts";
import type { Rlimit, Scheduler } from "./process.ts";
import type { Mount } from "./root.ts";

/** Entry of linux.namespaces; undefined if the namespace is inherited. */
export function findNamespace(config: Config, type: NamespaceType) {
  for (const namespace of config.linux?.namespaces ?? []) if (namespace.type === type) return namespace;
  return undefined;
}

export function wordNeed(type: NamespaceType): string {
  return `needs ${type === "ipc" ? "an" : "a"} ${type} namespace in linux.namespaces`;
}

/** A rule's message if the container has no namespace of `type`, new or joined. */
export function needNamespace(config: Config, type: NamespaceType): Findings {
  if (findNamespace(config, type) !== undefined) return undefined;
  return wordNeed(type);
}

export function checkAbsolute(path: string): Findings {
  return path.startsWith("/") ? checkLength(path) : `must be an absolute path, not ${quote(path)}`;
}

/** What the kernel takes, in bytes (limits.h). A plan names a path once for each of its components. */
const PATH_MAX = 4096;
const NAME_MAX = 255;

export function checkLength(path: string): Findings {
  if (3 * path.length <= NAME_MAX) return undefined;
  const bytes = Buffer.byteLength(path);
  if (bytes >= PATH_MAX) return `is too long a path: ${bytes} bytes, the kernel takes ${PATH_MAX - 1}`;
  const isLong = path.split("/").some((name) => Buffer.byteLength(name) > NAME_MAX);
  return isLong ? `has a component of more than ${NAME_MAX} bytes` : undefined;
}

/** Nothing is left of a container whose root cannot be seen. */
export function checkMaskedPath(path: string): Findings {
  if (!path.startsWith("/")) return checkAbsolute(path);
  let depth = 0;
  for (const name of path.split("/")) {
    if (name === "..") depth = Math.max(0, depth - 1);
    else if (name !== "" && name !== ".") depth++;
  }
  return depth === 0 ? `${quote(path)} is the root, which cannot be masked` : checkLength(path);
}

/** What may follow MAJOR.MINOR.PATCH in SemVer 2.0.0. */
const SEMVER_REST = /^(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?(\+[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?$/;

/** Whether a part is written as Number would write it: no leading zeros, signs or spaces. */
function isVersionPart(part: string | undefined): boolean {
  return part !== undefined && String(Number(part)) === part && part >= "0";
}

/** Where the rest of a version begins. */
function findVersionRest(version: string): number {
  const minus = version.indexOf("-");
  const plus = version.indexOf("+");
  if (minus >= 0 && (plus < 0 || minus < plus)) return minus;
  return plus >= 0 ? plus : version.length;
}

export function checkVersion(version: string): Findings {
  const length = findVersionRest(version);
  const parts = version.slice(0, length).split(".");
  const [major, minor, patch] = parts;
  const isCore = parts.length === 3 && isVersionPart(major) && isVersionPart(minor) && isVersionPart(patch);
  // Most versions have no rest, and compiling a regular expression takes longer than most other rules together.
  if (!isCore || (length < version.length && !SEMVER_REST.test(version.slice(length)))) {
    return `must be a version such as 1.3.0, not ${quote(version)}`;
  }
  return major === "1" ? undefined : `${quote(version)} is not supported: only versions 1.x.y are`;
}

/** Refuses repeated values of `key`. */
export function checkUnique<T>(items: readonly T[], member: string, key: (item: T) => string): Finding[] {
  const seen = new Set<string>();
  const findings: Finding[] = [];
  let index = 0;
  for (const item of items) {
    const value = key(item);
    if (seen.has(value)) findings.push({ at: [index, member], message: `${value} stands in the list twice` });
    seen.add(value);
    index++;
  }
  return findings;
}

export function checkRlimit(rlimit: Rlimit): Findings {
  return rlimit.soft > rlimit.hard
    ? { at: ["soft"], message: `${rlimit.soft} is larger than the hard limit ${rlimit.hard}` }
    : undefined;
}

/** sched_setattr(2). */
export function checkScheduler(scheduler: Scheduler): Finding[] {
  const { policy, nice = 0, priority = 0 } = scheduler;
  const findings: Finding[] = [];
  if (nice < -20 || nice > 19)
    findings.push({ at: ["nice"], message: `must be from -20 to 19, not ${nice}` });
  if (policy === "SCHED_FIFO" || policy === "SCHED_RR") {
    if (priority < 1 || priority > 99) {
      findings.push({ at: ["priority"], message: `must be from 1 to 99 for ${policy}, not ${priority}` });
    }
  } else if (priority !== 0) {
    findings.push({ at: ["priority"], message: `is for SCHED_FIFO and SCHED_RR only, not for ${policy}` });
  }
  for (const name of ["runtime", "deadline", "period"] as const) {
    if (policy !== "SCHED_DEADLINE" && (scheduler[name] ?? 0n) !== 0n) {
      findings.push({ at: [name], message: `is for SCHED_DEADLINE only, not for ${policy}` });
    }
  }
  return findings;
}

/** The format of cpuset(7) lists: `0-3,7`. */
export function checkNumberList(list: string): Findings {
  const isList = list.split(",").every((part) => {
    const [, from, to] = /^\s*(\d+)(?:-(\d+))?\s*$/.exec(part) ?? [];
    return from !== undefined && (to === undefined || Number(from) <= Number(to));
  });
  return isList ? undefined : `must be a list of numbers and ranges such as 0-3,7, not ${quote(list)}`;
}

/** As in src/compile/mount-sources.ts. */
export function isBind({ type, options = [] }: Mount): boolean {
  return type === "bind" || options.includes("bind") || options.includes("rbind");
}

/** What mount(2) needs, depending on what kind of mount it is. */
export function checkMount(mount: Mount): Findings {
  const { type, source, options = [] } = mount;
  if (!isBind(mount)) {
    if (type !== undefined || options.includes("remount")) return undefined;
    return { at: ["type"], message: "is required without the option bind or rbind" };
  }
  const findings: Finding[] = [];
  if (source === undefined) findings.push({ at: ["source"], message: "is required for a bind mount" });
  let index = 0;
  for (const option of options) {
    if (option.includes(",")) {
      findings.push({ at: ["options", index], message: `must be one option, not ${quote(option)}` });
    }
    index++;
  }
  return findings;
}
