// The process of a container or of an exec: what is prepared while init still is root, and the last batch, after
// which init is the process.
import { errnoNumber } from "../linux/errno.ts";
import { RLIMITS } from "../linux/rlimits.ts";
import { AT_FDCWD, NULL, openFlags, openHow, type PlanBuilder, struct, u64 } from "../plan/build.ts";
import type { NumberArg, OutBuffer, Result } from "../plan/step.ts";
import { keepsGroups } from "../spec/annotations.ts";
import type { Process, RunnableConfig } from "../spec/config.ts";
import { executeProgram } from "./executable.ts";
import { becomeUser, type CapabilitySets, setNoNewPrivileges } from "./identity.ts";
import { installFilter, type SeccompFilter, withoutListener } from "./seccomp.ts";
import { makeListenerHelper } from "./seccomp-listener.ts";

const RESOLVE_NO_MAGICLINKS = 0x02;
const SIGN = 1n << 63n;
const CLOSE_RANGE_CLOEXEC: NumberArg = { kind: "number", value: 4, text: "CLOSE_RANGE_CLOEXEC" };
const MAX_FD = 0xffffffff;
const PASSWD_LIMIT = 1 << 18;
const KEYCTL_JOIN_SESSION_KEYRING: NumberArg = {
  kind: "number",
  value: 1,
  text: "KEYCTL_JOIN_SESSION_KEYRING",
};
const KEYCTL_SETPERM: NumberArg = { kind: "number", value: 5, text: "KEYCTL_SETPERM" };
/** The new keyring's permissions, and search for its owner, so that an exec can join it by name (keyctl(2)). */
const KEYRING_PERMISSIONS = 0x3f1b0000;

/** Anchor of the last step that a started process's plan names in errors. */
export interface ProcessPlan {
  readonly process: Process;
  readonly capabilities: CapabilitySets;
  /** The whole environment: see `completeEnv`. */
  readonly env: readonly string[];
  /** Descriptors from 3 that the process gets, ascending. */
  readonly keepFds: readonly number[];
  /** RLIMIT_NOFILE where the config has none: the caller's, which the engine may have raised. */
  readonly nofile?: { readonly soft: number; readonly hard: number } | undefined;
  readonly seccomp?: SeccompFilter | undefined;
  /** Descriptor, in init, of its connection to the host. */
  readonly socket: number;
  /** Whether its supplementary groups are the caller's: see `keepsGroups` of src/spec/annotations.ts. */
  readonly keepsGroups: boolean;
}

/** A session keyring of the container's own, so that it sees none of its caller's keys (security.md H13). */
export function joinKeyring(p: PlanBuilder, id: string): void {
  p.at("", "join a new session keyring (--no-new-keyring keeps the caller's)", () => {
    // ENOSYS: a kernel without key management; EPERM: a seccomp filter of an outer container, as runc takes it.
    p.call("keyctl", [KEYCTL_JOIN_SESSION_KEYRING, `_ses.${id}`, 0, 0, 0], {
      name: "keyring",
      tolerate: ["ENOSYS", "EPERM"],
      onSuccess: () => {
        const KEY_SPEC_SESSION_KEYRING = -3;
        p.call("keyctl", [KEYCTL_SETPERM, KEY_SPEC_SESSION_KEYRING, KEYRING_PERMISSIONS, 0, 0], {
          tolerate: ["EACCES", "EPERM"],
        });
      },
    });
  });
}

/**
 * Fails early if the working directory cannot be entered. A path through /proc/self/fd or the like never can: no
 * magic link is followed (CVE-2024-21626). EACCES may go away with the process's user, so it is tolerated here.
 */
export function checkCwd(p: PlanBuilder, process: Process): void {
  p.at("process.cwd", `enter the working directory ${process.cwd}`, () => {
    openCwd(p, process.cwd, (fd) => {
      p.call("fchdir", [fd], { tolerate: ["EACCES"] });
      p.call("close", [fd]);
    });
  });
}

function openCwd(p: PlanBuilder, cwd: string, use: (fd: Result) => void): Result {
  const how = openHow(openFlags("O_PATH", "O_DIRECTORY", "O_CLOEXEC"), RESOLVE_NO_MAGICLINKS);
  const index = p.length;
  return p.call("openat2", [AT_FDCWD, cwd, how, 24], {
    name: "cwd",
    tolerate: ["EACCES"],
    onSuccess: () => use({ kind: "result", step: index, name: "cwd" }),
  });
}

/** Reads /etc/passwd of the container, for HOME; the buffer is empty where there is none. */
export function readPasswd(p: PlanBuilder): OutBuffer {
  const content = p.buffer(PASSWD_LIMIT, "passwd");
  p.at("process.env", "find HOME in the container's /etc/passwd", () => {
    const how = openHow(openFlags("O_RDONLY", "O_NONBLOCK", "O_NOCTTY", "O_CLOEXEC"), RESOLVE_NO_MAGICLINKS);
    const index = p.length;
    p.call("openat2", [AT_FDCWD, "/etc/passwd", how, 24], {
      name: "passwd",
      tolerate: ["ENOENT", "ENOTDIR", "EACCES", "ELOOP"],
      onSuccess: () => {
        const fd: Result = { kind: "result", step: index, name: "passwd" };
        p.call("read", [fd, content, PASSWD_LIMIT - 1], { tolerate: ["EISDIR", "EAGAIN", "EINVAL"] });
        p.call("close", [fd]);
      },
    });
  });
  return content;
}

/**
 * The last batch: from root of the container to its process. Without no_new_privs a filter takes CAP_SYS_ADMIN, so
 * it is installed before capabilities go, and must allow what follows; with it, right before execve, so that nothing
 * but execve is called under it (security.md H7).
 */
export function becomeProcess(p: PlanBuilder, plan: ProcessPlan): void {
  const { process, seccomp } = plan;
  const needsPrivilege = seccomp !== undefined && !process.noNewPrivileges;
  const helper = seccomp?.hasListener ? makeListenerHelper(p, plan.socket) : undefined; // before limits and the user
  setNoNewPrivileges(p, process);
  const [opened, entered] = enterCwd(p, process);
  if (needsPrivilege) {
    limitProcess(p, plan);
    installFilter(p, seccomp, helper);
  }
  becomeUser(p, process, plan.capabilities, plan.keepsGroups);
  retryCwd(p, process, opened, entered);
  if (!needsPrivilege) limitProcess(p, plan);
  if (seccomp && !needsPrivilege) installFilter(p, seccomp, helper);
  executeProgram(p, process.args ?? [], plan.env);
}

/** From root of the container to a startContainer hook, which runs as the container's process will. */
export function becomeHook(
  p: PlanBuilder,
  { process, annotations }: RunnableConfig,
  capabilities: CapabilitySets,
  seccomp: SeccompFilter | undefined,
): void {
  setNoNewPrivileges(p, process);
  if (seccomp && !process.noNewPrivileges) installFilter(p, withoutListener(seccomp));
  becomeUser(p, process, capabilities, keepsGroups({ annotations }));
  if (seccomp && process.noNewPrivileges) installFilter(p, withoutListener(seccomp));
}

/** What is inherited through execve; the resource limits last of it, so that none of them hits init. */
function limitProcess(p: PlanBuilder, { process, keepFds, nofile }: ProcessPlan): void {
  p.at("process.user.umask", "set the umask", () => p.call("umask", [process.user.umask ?? 0o022]));
  closeDescriptors(p, keepFds);
  setRlimits(p, process);
  if (nofile && !process.rlimits?.some(({ type }) => type === "RLIMIT_NOFILE"))
    p.at("", "give the caller's limit of open files back", () => {
      const resource: NumberArg = { kind: "number", value: RLIMITS.RLIMIT_NOFILE, text: "RLIMIT_NOFILE" };
      const limit = struct(u64("rlim_cur", nofile.soft), u64("rlim_max", nofile.hard));
      p.call("prlimit64", [0, resource, limit, NULL]);
    });
}

function enterCwd(p: PlanBuilder, process: Process): readonly [Result, Result] {
  return p.at("process.cwd", `enter the working directory ${process.cwd}`, () => {
    let entered: Result | undefined;
    const opened = openCwd(p, process.cwd, (fd) => {
      entered = p.call("fchdir", [fd], { tolerate: ["EACCES"] });
    });
    return [opened, entered as Result];
  });
}

/** The directory may be closed to root (NFS) and open to the user: what failed as root is tried again. */
function retryCwd(p: PlanBuilder, process: Process, opened: Result, entered: Result): void {
  p.at("process.cwd", `enter the working directory ${process.cwd}`, () => {
    for (const result of [opened, entered]) {
      p.check(result, SIGN, 0, errnoNumber("EACCES"), {
        tolerate: ["EACCES"],
        onError: () => {
          const how = openHow(openFlags("O_PATH", "O_DIRECTORY", "O_CLOEXEC"), RESOLVE_NO_MAGICLINKS);
          const fd = p.call("openat2", [AT_FDCWD, process.cwd, how, 24], { name: "cwd" });
          p.call("fchdir", [fd]);
        },
      });
    }
  });
}

/** Marks every descriptor from 3 on close-on-exec, except those that the process gets. */
function closeDescriptors(p: PlanBuilder, keep: readonly number[]): void {
  p.at("", "close all other descriptors at execve", () => {
    for (const [first, last] of gapsBetween(keep)) p.call("close_range", [first, last, CLOSE_RANGE_CLOEXEC]);
  });
}

/** Ranges of descriptors from 3 on without those in `keep` (ascending). */
function gapsBetween(keep: readonly number[]): readonly (readonly [number, number])[] {
  const gaps: [number, number][] = [];
  let first = 3;
  for (const fd of keep) {
    if (fd > first) gaps.push([first, fd - 1]);
    first = fd + 1;
  }
  gaps.push([first, MAX_FD]);
  return gaps;
}

/** A hard limit was raised from outside before. */
function setRlimits(p: PlanBuilder, process: Process): void {
  for (const [i, { type, soft, hard }] of (process.rlimits ?? []).entries()) {
    p.at(`process.rlimits[${i}]`, `limit ${type.slice("RLIMIT_".length).toLowerCase()}`, () => {
      const resource: NumberArg = { kind: "number", value: RLIMITS[type], text: type };
      p.call("prlimit64", [0, resource, struct(u64("rlim_cur", soft), u64("rlim_max", hard)), NULL]);
    });
  }
}

/**
 * Waits as pid 1 until `start` connects; then batches come from that connection, which takes the start socket's number:
 * the start batch, compiled before, can name it.
 */
export function holdProcess(p: PlanBuilder, startSocket: number, keepFds: readonly number[]): void {
  p.at("", "wait for start", () => {
    const keep = [...keepFds, startSocket].sort((a, b) => a - b);
    for (const [first, last] of gapsBetween(keep)) p.call("close_range", [first, last, 0]);
    const SOCK_CLOEXEC: NumberArg = { kind: "number", value: 0o2000000, text: "SOCK_CLOEXEC" };
    const connection = p.call("accept4", [startSocket, NULL, NULL, SOCK_CLOEXEC], { name: "connection" });
    p.call("dup3", [connection, startSocket, SOCK_CLOEXEC]);
    p.call("close", [connection]);
    p.call("serve", [startSocket]);
  });
}
