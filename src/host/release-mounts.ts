// Takes away the mounts of a container that had no mount namespace of its own.
import { readFileSync } from "node:fs";
import { basename, dirname } from "node:path";
import { isWithin } from "../compile/rootfs.ts";
import type { Context } from "../context.ts";
import { AT_FDCWD, openFlags, openHow, PlanBuilder } from "../plan/build.ts";
import type { NumberArg } from "../plan/step.ts";
import { launchInit } from "./launch.ts";
import { parseMountInfo, readArchitecture } from "./probe.ts";
import { reapChild } from "./process.ts";
import { closeSession, openSession, runPlan } from "./session.ts";

const RESOLVE_IN_ROOT_NO_MAGICLINKS = 0x10 | 0x02;
const DETACH_NOFOLLOW: NumberArg = { kind: "number", value: 2 | 8, text: "MNT_DETACH|UMOUNT_NOFOLLOW" };

/**
 * Unmounts what is mounted below the root file system, except the mount points in `kept` (with
 * one entry for each mount). The container's processes have ended; the directories are resolved in the root all the
 * same, since it may be shared. Throws SyscallError or TsruncError.
 */
export function releaseMounts(ctx: Context, rootfs: string, kept: readonly string[]): void {
  const paths = listOwnMounts(readFileSync("/proc/self/mountinfo", "utf8"), rootfs, kept);
  if (paths.length === 0) return;
  const p = new PlanBuilder();
  p.at("root.path", `release the mounts below ${rootfs}`, () => {
    const flags = openFlags("O_PATH", "O_DIRECTORY", "O_CLOEXEC");
    const root = p.call("openat", [AT_FDCWD, rootfs, flags], { name: "root" });
    for (const path of paths) {
      // The parent by descriptor, then one name that no link is followed for: the same for directories and files.
      const how = openHow(flags, RESOLVE_IN_ROOT_NO_MAGICLINKS);
      const parent = p.call("openat2", [root, dirname(path.slice(rootfs.length + 1)), how, 24], {
        name: "parent",
      });
      p.call("fchdir", [parent]);
      p.call("umount2", [basename(path), DETACH_NOFOLLOW]);
      p.call("close", [parent]);
    }
  });
  const init = launchInit(ctx, { stdio: ctx.stdio, pass: [] });
  const session = openSession(init, readArchitecture());
  try {
    runPlan(session, p.build(), () => undefined);
  } finally {
    closeSession(session);
    reapChild(init.libc, init.launcherPid);
  }
}

/**
 * Mount points below `rootfs` that are not among `kept`, the deepest first: a tree that was opened early may have
 * been attached late, so the order of mountinfo does not tell.
 */
function listOwnMounts(mountinfo: string, rootfs: string, kept: readonly string[]): readonly string[] {
  const left = [...kept];
  return parseMountInfo(mountinfo)
    .map(({ path }) => path)
    .filter((path) => path !== rootfs && isWithin(path, rootfs))
    .filter((path) => {
      const index = left.indexOf(path);
      if (index >= 0) left.splice(index, 1);
      return index < 0;
    })
    .sort((a, b) => b.split("/").length - a.split("/").length);
}
