// `exec --cgroup`: which cgroups below the container's a process joins. Pure.
import { posix } from "node:path";
import { TsruncError } from "../errors.ts";
import type { CgroupRecord } from "./types.ts";

/**
 * The record with the directories that a process joins: `PATH`, or on v1 also `CONTROLLER[,CONTROLLER...]:PATH`
 * once or more. A path counts from the container's cgroup, also when it begins with a slash, and never leaves it. On
 * v1 a path alone is for every controller; in the cgroup2 hierarchy of a hybrid host, which limits nothing, the
 * process stays in the container's own. Throws TsruncError.
 */
export function placeSubCgroup(record: CgroupRecord, args: readonly string[]): CgroupRecord {
  const moved = new Map<string, string>();
  for (const [controller, sub] of parseSubCgroups(args)) {
    for (const dir of findDirs(record, controller)) {
      const target = joinSub(dir, sub);
      if ((moved.get(dir) ?? target) !== target)
        throw new TsruncError(
          `invalid --cgroup argument(s): ${controller} shares a hierarchy, with another path`,
        );
      moved.set(dir, target);
    }
  }
  const paths = Object.entries(record.paths).map(([name, dir]) => [name, moved.get(dir) ?? dir] as const);
  return { ...record, paths: Object.fromEntries(paths) };
}

/** Paths by controller; the key of a path without a controller is the empty string. */
function parseSubCgroups(args: readonly string[]): ReadonlyMap<string, string> {
  const paths = new Map<string, string>();
  for (const arg of args) {
    const colon = arg.indexOf(":");
    if (colon < 0) {
      if (args.length > 1)
        throw new TsruncError(`invalid --cgroup argument: ${arg} (missing <controller>: prefix)`);
      paths.set("", arg);
      continue;
    }
    for (const controller of arg.slice(0, colon).split(",")) {
      if (controller === "")
        throw new TsruncError(`invalid --cgroup argument: ${arg} (empty <controller> prefix)`);
      if (paths.has(controller))
        throw new TsruncError(
          `invalid --cgroup argument(s): controller ${controller} specified multiple times`,
        );
      paths.set(controller, arg.slice(colon + 1));
    }
  }
  return paths;
}

function findDirs({ mode, paths }: CgroupRecord, controller: string): readonly string[] {
  if (controller === "") {
    const wanted = Object.entries(paths).filter(([name]) => mode === "v2" || name !== "unified");
    return [...new Set(wanted.map(([, dir]) => dir))];
  }
  if (mode === "v2")
    throw new TsruncError(
      `invalid --cgroup argument(s): controller ${controller}: cgroup v2 has one hierarchy, want a path alone`,
    );
  const dir = Object.hasOwn(paths, controller) ? paths[controller] : undefined;
  if (dir === undefined)
    throw new TsruncError(`invalid --cgroup argument(s): there is no ${controller} controller`);
  return [dir];
}

/** Compared as whole names: `../IDx` begins like `ID` and is another container's. */
function joinSub(dir: string, sub: string): string {
  const target = posix.join(dir, sub).replace(/(.)\/+$/, "$1");
  if (target === dir || target.startsWith(`${dir}/`)) return target;
  throw new TsruncError(`bad sub cgroup path: ${sub}`);
}
