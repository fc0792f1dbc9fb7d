// Id-mapped mounts: config.md "uidMappings", "gidMappings" and the options idmap and ridmap; crun(1) "idmap mount
// options" for mappings inside an option, which Podman writes.
import type { Finding } from "./check.ts";
import type { Config } from "./config-schema.ts";
import type { IdMapping } from "./namespaces.ts";
import { quote } from "./problems.ts";
import type { Mount } from "./root.ts";

/** Ids of the source (`containerID`) and what they are on the mount, seen from the runtime's user namespace. */
export interface IdMaps {
  readonly uid: readonly IdMapping[];
  readonly gid: readonly IdMapping[];
}

export interface IdmappedMount {
  /** Also the mounts below the source. */
  readonly recursive: boolean;
  /** Absent: those of the user namespace that the container joins. */
  readonly maps?: IdMaps;
  /** Index of the option that the maps stand in. */
  readonly option?: number;
}

interface OptionMapping extends IdMapping {
  /** `hostID` counts in the container's user namespace. */
  readonly isRelative: boolean;
}

const MEMBERS = { uid: "uidMappings", gid: "gidMappings" } as const;
const KINDS = ["uid", "gid"] as const;
type Kind = (typeof KINDS)[number];
const FORM = "idmap=uids=FROM-TO-SIZE[#FROM-TO-SIZE...];gids=...";

/** What nearly every mount is. */
const NOT_IDMAPPED = { problems: [] };

/** Whether an option is idmap or ridmap, with mappings or without. */
export function isIdmapOption(option: string): boolean {
  const name = option.startsWith("r") ? option.slice(1) : option;
  return name === "idmap" || name.startsWith("idmap=");
}

/**
 * What a mount asks for, undefined if it is not id-mapped; and what is wrong with it, besides the lists themselves in
 * uidMappings and gidMappings. With problems the value is not complete.
 */
export function readIdmap(
  config: Config,
  mount: Mount,
): { readonly value?: IdmappedMount; readonly problems: readonly Finding[] } {
  const { uidMappings: uid = [], gidMappings: gid = [], options = [] } = mount;
  let index = options.length - 1;
  while (index >= 0 && !isIdmapOption(options[index] ?? "")) index--;
  const hasOwn = uid.length > 0 || gid.length > 0;
  if (!hasOwn && index < 0) return NOT_IDMAPPED;
  const problems: Finding[] = [];
  const own: IdMaps = { uid, gid };
  const option = options[index] ?? "";
  const recursive = option.startsWith("ridmap");
  for (const [kind, other] of [KINDS, ["gid", "uid"]] as const)
    if (own[kind].length === 0 && own[other].length > 0)
      problems.push({ at: [MEMBERS[kind]], message: `is required with ${MEMBERS[other]}` });
  if (option.includes("=")) {
    const at = ["options", index];
    if (hasOwn) problems.push({ at, message: "has mappings, and the mount has uidMappings and gidMappings" });
    const maps = readOption(config, option);
    if (typeof maps === "string") return { problems: [...problems, { at, message: maps }] };
    return { value: { recursive, maps, option: index }, problems };
  }
  if (hasOwn) return { value: { recursive, maps: own }, problems };
  const user = config.linux?.namespaces?.find(({ type }) => type === "user");
  if (user === undefined) {
    const message = "needs uidMappings and gidMappings, or a user namespace in linux.namespaces";
    return { problems: [{ at: ["options", index], message }] };
  }
  if (user.path !== undefined) return { value: { recursive }, problems };
  const { uidMappings = [], gidMappings = [] } = config.linux ?? {};
  return { value: { recursive, maps: { uid: uidMappings, gid: gidMappings } }, problems };
}

/** The mappings of an option's value, or what is wrong with it. */
function readOption(config: Config, option: string): IdMaps | string {
  const maps: Partial<Record<Kind, readonly IdMapping[]>> = {};
  for (const part of option.slice(option.indexOf("=") + 1).split(";")) {
    const [, kind, list] = /^(uid|gid)s=(.+)$/.exec(part) ?? [];
    const mappings = list?.split("#").map(readTriplet) ?? [undefined];
    if (kind === undefined || maps[kind as Kind] !== undefined || mappings.includes(undefined))
      return `must be ${FORM}, not ${quote(option)}`;
    const absolute = (mappings as OptionMapping[]).map((mapping) =>
      resolveMapping(config, kind as Kind, mapping),
    );
    const problem = absolute.find((mapping) => typeof mapping === "string");
    if (typeof problem === "string") return problem;
    maps[kind as Kind] = absolute as IdMapping[];
  }
  const { uid, gid } = maps;
  return uid && gid ? { uid, gid } : `must have both uids and gids: ${quote(option)}`;
}

function readTriplet(text: string): OptionMapping | undefined {
  const [, at, ...numbers] = /^(@?)(\d+)-(\d+)-(\d+)$/.exec(text) ?? [];
  const [containerID = 0, hostID = 0, size = 0] = numbers.map(Number);
  const fits = size > 0 && Math.max(containerID, hostID) + size <= 0xffff_ffff;
  return at === undefined || !fits ? undefined : { containerID, hostID, size, isRelative: at === "@" };
}

/** From ids of the container to ids of the host, by linux.uidMappings or linux.gidMappings. */
function resolveMapping(config: Config, kind: Kind, mapping: OptionMapping): IdMapping | string {
  const { containerID, hostID, size, isRelative } = mapping;
  if (!isRelative) return { containerID, hostID, size };
  const range = config.linux?.[MEMBERS[kind]]?.find(
    (each) => hostID >= each.containerID && hostID + size <= each.containerID + each.size,
  );
  if (range === undefined)
    return `@${containerID}-${hostID}-${size} is not within one entry of linux.${MEMBERS[kind]}`;
  return { containerID, hostID: hostID - range.containerID + range.hostID, size };
}
