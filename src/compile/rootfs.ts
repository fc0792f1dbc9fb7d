// The root file system: attached in the container's mount namespace, and finished once it is the root.
import { MOVE_MOUNT, type MS } from "../linux/mount-flags.ts";
import { AT_FDCWD, flags, openFlags, type PlanBuilder } from "../plan/build.ts";
import type { Result } from "../plan/step.ts";
import type { Config } from "../spec/config.ts";
import type { Facts } from "./facts.ts";
import { propagatePath, setReadOnly, setRootReadOnly } from "./mount-calls.ts";
import type { MountSources } from "./mount-sources.ts";
import { cleanPath, DIRECTORY, openOrMake } from "./mount-target.ts";
import type { Mounted } from "./mounts.ts";
import { hasNamespace, readNamespaces } from "./namespaces.ts";

type PropagationFlag = keyof typeof MS & `MS_${"SHARED" | "SLAVE" | "PRIVATE" | "UNBINDABLE"}`;

/** linux.rootfsPropagation as flags of mount(2); undefined if absent. */
function readPropagation(config: Config): { flag: PropagationFlag; recursive: boolean } | undefined {
  const wanted = config.linux?.rootfsPropagation;
  if (wanted === undefined) return undefined;
  const recursive = wanted.startsWith("r");
  const name = (recursive ? wanted.slice(1) : wanted).toUpperCase();
  return { flag: `MS_${name}` as PropagationFlag, recursive };
}

/**
 * Puts the root file system in place and opens it: a descriptor for look-ups that stay below it. For init in the
 * container's mount namespace. Sets init's umask to 0.
 *
 * Without a mount namespace of the container's own, nothing is attached: its mounts are then made in the
 * runtime's namespace, below facts.rootfs, as with runc.
 */
export function attachRootfs(p: PlanBuilder, config: Config, facts: Facts, sources: MountSources): Result {
  return p.at("root.path", `attach the root file system ${facts.rootfs}`, () => {
    p.call("umask", [0]);
    if (!hasNamespace(readNamespaces(config), "mount"))
      return p.call("openat", [AT_FDCWD, facts.rootfs, openFlags("O_PATH", "O_DIRECTORY", "O_CLOEXEC")], {
        name: "root",
      });
    separateFromHost(p, config, facts);
    const tree = sources.takeRootfs() as Result;
    // In a new mount namespace the working directory is still the root file system's path (openMountSources),
    // even where the container's user may not search that path.
    const joined = readNamespaces(config).joined.get("mount");
    if (joined)
      p.call("chdir", [facts.rootfs], {
        failure: `root.path: find ${facts.rootfs} in the mount namespace of linux.namespaces[${joined.index}]`,
        failureWithErrno: true,
      });
    else p.call("chdir", [facts.rootfs], facts.mayMount ? { tolerate: ["EACCES"] } : {});
    const how = flags(MOVE_MOUNT, "MOVE_MOUNT_F_EMPTY_PATH", "MOVE_MOUNT_T_EMPTY_PATH");
    p.call("move_mount", [tree, "", AT_FDCWD, "", how]);
    return tree;
  });
}

/**
 * Nothing that is mounted from here on reaches the host. Where rootfsPropagation leaves the namespace's root shared,
 * at least the mount that the root file system is attached to must not be: pivot_root(2) needs that as well.
 */
function separateFromHost(p: PlanBuilder, config: Config, facts: Facts): void {
  const propagation = readPropagation(config) ?? { flag: "MS_SLAVE", recursive: true };
  p.at("linux.rootfsPropagation", "set the propagation of the mount namespace", () => {
    propagatePath(p, "/", propagation.flag, propagation.recursive);
    if (propagation.recursive && propagation.flag !== "MS_SHARED") return;
    const flag = propagation.flag === "MS_SLAVE" ? "MS_SLAVE" : "MS_PRIVATE";
    propagatePath(p, findParentMount(facts), flag, false);
  });
}

/** Mount point that the path of the root file system lies on. */
function findParentMount(facts: Facts): string {
  let found = "/";
  for (const { path } of facts.mountPoints) {
    if (isWithin(facts.rootfs, path) && path.length > found.length) found = path;
  }
  return found;
}

/** Whether a clean absolute path is another one or lies below it. */
export function isWithin(path: string, directory: string): boolean {
  return path === directory || path.startsWith(directory === "/" ? "/" : `${directory}/`);
}

/** Makes the process's working directory if it is missing. */
export function createCwd(p: PlanBuilder, config: Config, root: Result): void {
  const cwd = config.process?.cwd;
  if (cwd === undefined) return;
  const path = cleanPath(cwd);
  if (path === "/") return;
  p.at("process.cwd", `create the working directory ${cwd}`, () => {
    const fd = openOrMake(p, root, path, DIRECTORY, "directory", { name: "cwd" });
    p.call("close", [fd]);
  });
}

/** Once init is in the root: what had to be writable until now becomes read-only. */
export function finishRootfs(p: PlanBuilder, config: Config, mounted: Mounted): void {
  for (const { index, mount } of mounted.readOnlyLater) {
    p.at(`mounts[${index}]`, `make ${config.mounts?.[index]?.destination} read-only`, () => {
      setReadOnly(p, mount);
      p.call("close", [mount]);
    });
  }
  if (!hasNamespace(readNamespaces(config), "mount")) return; // "/" is a mount of the host
  if (config.root.readonly === true)
    p.at("root.readonly", "make the root read-only", () => setRootReadOnly(p));
}

/**
 * linux.rootfsPropagation of the root and, with an r-form, of all mounts in it. After all of them are made: a mount
 * that is unbindable can cover no path any more.
 */
export function setRootPropagation(p: PlanBuilder, config: Config): void {
  const propagation = readPropagation(config);
  if (!propagation || !hasNamespace(readNamespaces(config), "mount")) return;
  p.at("linux.rootfsPropagation", "set the propagation of the root", () =>
    propagatePath(p, "/", propagation.flag, propagation.recursive),
  );
}
