// The id mappings of a user namespace that a container joins by path (user_namespaces(7)).
import { joinNamespaces } from "../compile/namespaces.ts";
import type { Context } from "../context.ts";
import { ConfigError } from "../errors.ts";
import { AT_FDCWD, openFlags, PlanBuilder } from "../plan/build.ts";
import type { IdMapping } from "../spec/config.ts";
import { launchInit } from "./launch.ts";
import { readArchitecture } from "./probe.ts";
import { reapChild } from "./process.ts";
import { closeSession, openSession, runPlan } from "./session.ts";

const MAP_SIZE = 16384;

/** Mappings as `containerID hostID size` lines, without the kernel's padding. */
function formatMappings(mappings: readonly IdMapping[]): string {
  return mappings.map((m) => `${m.containerID} ${m.hostID} ${m.size}`).join("\n");
}

/**
 * Throws ConfigError unless the mappings of the config are those of the namespace at `path`: files are made with
 * the config's, and processes have the namespace's.
 */
export function checkJoinedMappings(
  ctx: Context,
  path: string,
  mappings: { readonly uid: readonly IdMapping[]; readonly gid: readonly IdMapping[] },
): void {
  const p = new PlanBuilder();
  const buffers = p.at("linux.namespaces", `read the mappings of ${path}`, () => {
    const fd = p.call("openat", [AT_FDCWD, path, openFlags("O_RDONLY", "O_CLOEXEC")], { name: "user_ns" });
    joinNamespaces(p, new Map([["user", fd]]));
    return (["uid", "gid"] as const).map((kind) => {
      const map = p.call("openat", [AT_FDCWD, `/proc/self/${kind}_map`, openFlags("O_RDONLY", "O_CLOEXEC")]);
      const buffer = p.buffer(MAP_SIZE, `${kind}_map`);
      p.call("read", [map, buffer, MAP_SIZE - 1]);
      return [kind, buffer] as const;
    });
  });
  const init = launchInit(ctx, { stdio: ctx.stdio, pass: [] });
  const session = openSession(init, readArchitecture());
  try {
    runPlan(session, p.build(), () => undefined);
  } finally {
    closeSession(session);
    reapChild(init.libc, init.launcherPid);
  }
  const problems = buffers.flatMap(([kind, buffer]) => {
    const bytes = session.outputs.get(buffer) ?? new Uint8Array(1);
    const text = new TextDecoder().decode(bytes.subarray(0, bytes.indexOf(0)));
    const actual = text
      .trim()
      .split("\n")
      .map((line) => line.trim().split(/\s+/).join(" "));
    if (mappings[kind].length === 0 || actual.join("\n") === formatMappings(mappings[kind])) return [];
    return [
      {
        path: `linux.${kind}Mappings`,
        message: `the user namespace ${path} has other mappings: ${actual.join(", ")}`,
      },
    ];
  });
  if (problems.length > 0) throw new ConfigError("config.json", problems);
}
