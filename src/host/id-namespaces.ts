// User namespaces that only carry the ids of id-mapped mounts: src/compile/idmap.ts.
import { openSync } from "node:fs";
import type { Libc } from "../../native-bindings/libc.ts";
import { formatMap, formatMaps, listIdmaps } from "../compile/idmap.ts";
import { namespaceFlags } from "../compile/namespaces.ts";
import type { Context } from "../context.ts";
import { toSyscallError } from "../errors.ts";
import { PlanBuilder } from "../plan/build.ts";
import type { HostAction } from "../plan/host-action.ts";
import type { Config } from "../spec/config.ts";
import type { IdMaps } from "../spec/idmapped-mount.ts";
import { closeFd } from "./fd.ts";
import { launchInit } from "./launch.ts";
import { readArchitecture } from "./probe.ts";
import { writeProcFile } from "./proc-file.ts";
import { reapChild } from "./process.ts";
import { closeSession, openSession, runPlan } from "./session.ts";

/**
 * Makes a user namespace for each different pair of maps that mounts of the config have. Gives their descriptors,
 * which are the caller's to close, by the text of `formatMaps`. Throws TsruncError, and then leaves none open.
 */
export function openIdNamespaces(ctx: Context, libc: Libc, config: Config): ReadonlyMap<string, number> {
  const opened = new Map<string, number>();
  try {
    for (const { index, maps } of listIdmaps(config).values())
      opened.set(formatMaps(maps), openIdNamespace(ctx, `mounts[${index}]`, maps));
  } catch (error) {
    for (const fd of opened.values()) closeFd(libc, fd);
    throw error;
  }
  return opened;
}

/** The namespace lives on by its descriptor when the init that has made it is gone. */
function openIdNamespace(ctx: Context, path: string, maps: IdMaps): number {
  const intent = "make a user namespace for the ids of the mount";
  const p = new PlanBuilder();
  p.at(path, intent, () => {
    p.call("unshare", [namespaceFlags(["user"])]);
    for (const kind of ["uid", "gid"] as const)
      p.host({ do: "write-proc", of: "launcher", file: `${kind}_map`, value: formatMap(maps[kind]) });
  });
  const init = launchInit(ctx, { stdio: ctx.stdio, pass: [] });
  const session = openSession(init, readArchitecture());
  const told = `${path}: ${intent}`;
  try {
    runPlan(session, p.build(), ({ action }) => writeMap(told, init.launcherPid, action));
    const file = `/proc/${init.launcherPid}/ns/user`;
    try {
      return openSync(file, "r"); // close-on-exec, as all of node's
    } catch (error) {
      throw toSyscallError(error, told, `open("${file}")`);
    }
  } finally {
    closeSession(session);
    reapChild(init.libc, init.launcherPid);
  }
}

function writeMap(told: string, pid: number, action: HostAction): void {
  if (action.do !== "write-proc") throw new Error(`${action.do} is no part of making a user namespace`);
  writeProcFile(pid, action.file, action.value, told);
}
