// A process from outside, for an exec or a hook, goes where the first process of a container is.
import type { NamespaceType } from "../linux/namespaces.ts";
import { AT_FDCWD, NULL, openFlags, type PlanBuilder } from "../plan/build.ts";
import type { Result } from "../plan/step.ts";
import { becomeRoot, forkContainer, namespaceFlags } from "./namespaces.ts";

/** The first process of a container that another process joins. */
export interface JoinedProcess {
  readonly pid: number;
  /** Descriptor, in init, of a pidfd of it. */
  readonly pidfd: number;
  /** Its namespaces that are not the runtime's. */
  readonly namespaces: readonly NamespaceType[];
}

/**
 * Joins the namespaces of a container's process, and forks. The cgroup namespace comes after the fork: a process in it
 * that is not below its root can be made in no cgroup of it (cgroup2 with nsdelegate: ENOENT). A mount namespace has
 * the container's root; in the runtime's own the container's process was put into its root by chroot(2).
 */
export function enterNamespaces(p: PlanBuilder, joined: JoinedProcess, cgroup?: Result): void {
  const { pidfd, namespaces } = joined;
  const enter = (some: readonly NamespaceType[]): void =>
    p.at("", "join the container's namespaces", () => {
      if (some.length > 0) p.call("setns", [pidfd, namespaceFlags(some)]);
    });
  const root = namespaces.includes("mount") ? undefined : openRootOf(p, joined);
  enter(namespaces.filter((type) => type !== "cgroup"));
  if (namespaces.includes("user")) becomeRoot(p);
  forkContainer(p, cgroup);
  if (root) enterRoot(p, root);
  enter(namespaces.filter((type) => type === "cgroup"));
}

function openRootOf(p: PlanBuilder, { pid, pidfd }: JoinedProcess): Result {
  return p.at("", "enter the container's root", () => {
    const root = p.call(
      "openat",
      [AT_FDCWD, `/proc/${pid}/root`, openFlags("O_PATH", "O_DIRECTORY", "O_CLOEXEC")],
      { name: "root" },
    );
    p.call("pidfd_send_signal", [pidfd, 0, NULL, 0]); // the number was still that process's
    return root;
  });
}

function enterRoot(p: PlanBuilder, root: Result): void {
  p.at("", "enter the container's root", () => {
    p.call("fchdir", [root]);
    p.call("chroot", ["."]);
    p.call("chdir", ["/"]);
    p.call("close", [root]);
  });
}
