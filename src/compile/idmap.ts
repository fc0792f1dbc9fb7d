// Id-mapped bind mounts: mount_setattr(2), MOUNT_ATTR_IDMAP. The kernel copies the maps of a user namespace to the
// mount; no process need ever live in it.
import { ConfigError } from "../errors.ts";
import { MOUNT_ATTR, MOUNT_ATTR_SIZE } from "../linux/mount-flags.ts";
import { flags, type PlanBuilder, struct, u64 } from "../plan/build.ts";
import type { NumberArg, Result } from "../plan/step.ts";
import type { Config, IdMapping, Mount } from "../spec/config.ts";
import { type IdMaps, readIdmap } from "../spec/idmapped-mount.ts";
import type { Facts } from "./facts.ts";
import { atFlags } from "./mount-calls.ts";

/** User namespaces in init for the ids of mounts. */
export interface IdNamespaces {
  /** Of the container, if it joins one. */
  readonly joined?: Result | undefined;
  /** Descriptors of those that the host has made, by the text of `formatMaps`. */
  readonly made?: ReadonlyMap<string, number> | undefined;
}

/** The content of the file uid_map or gid_map (user_namespaces(7)). */
export function formatMap(mappings: readonly IdMapping[]): string {
  return mappings.map((m) => `${m.containerID} ${m.hostID} ${m.size}\n`).join("");
}

/** Tells maps from other maps, and is how plans print a user namespace that has them. */
export function formatMaps({ uid, gid }: IdMaps): string {
  const list = (mappings: readonly IdMapping[]): string =>
    formatMap(mappings).trimEnd().replaceAll("\n", ", ");
  return `userns[uids ${list(uid)}; gids ${list(gid)}]`;
}

/** The different maps that mounts need a user namespace for, each with the index of the first such mount. */
export function listIdmaps(
  config: Config,
): ReadonlyMap<string, { readonly index: number; readonly maps: IdMaps }> {
  const found = new Map<string, { index: number; maps: IdMaps }>();
  for (const [index, mount] of (config.mounts ?? []).entries()) {
    const maps = readIdmap(config, mount).value?.maps;
    if (maps && !found.has(formatMaps(maps))) found.set(formatMaps(maps), { index, maps });
  }
  return found;
}

/** The kernel lets nobody but the owner of a file system map its ids. For before anything is made. */
export function checkIdmaps(config: Config, facts: Pick<Facts, "euid">): void {
  if (facts.euid === 0) return;
  const problems = (config.mounts ?? []).flatMap((mount, index) =>
    readIdmap(config, mount).value === undefined
      ? []
      : [{ path: `mounts[${index}]`, message: "id-mapped mounts are not supported for rootless containers" }],
  );
  if (problems.length > 0) throw new ConfigError("config.json", problems);
}

/** Maps the ids of a detached tree, if the mount asks for it. With the privilege of the file system's owner. */
export function mapIds(
  p: PlanBuilder,
  config: Config,
  mount: Mount,
  tree: Result,
  namespaces: IdNamespaces,
): void {
  const idmap = readIdmap(config, mount).value;
  if (idmap === undefined) return;
  const attr = struct(
    u64("attr_set", flags(MOUNT_ATTR, "MOUNT_ATTR_IDMAP")),
    u64("attr_clr", 0),
    u64("propagation", 0),
    u64("userns_fd", idmap.maps ? findNamespace(idmap.maps, namespaces) : (namespaces.joined as Result)),
  );
  const all = idmap.recursive ? "or one mounted below it " : "";
  p.call("mount_setattr", [tree, "", atFlags(idmap.recursive), attr, MOUNT_ATTR_SIZE], {
    hint: { errno: "EINVAL", text: `the source's file system ${all}has no id-mapped mounts` },
  });
}

function findNamespace(maps: IdMaps, { made }: IdNamespaces): NumberArg {
  const text = formatMaps(maps);
  const value = made?.get(text);
  if (value === undefined) throw new Error(`no user namespace was made for ${text}`);
  return { kind: "number", value, text };
}
