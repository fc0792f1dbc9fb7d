// The options of mounts[].options: config.md "Linux mount options", mount(8), and runc's `tmpcopyup`.
// The ids of `idmap` and `ridmap` are read by src/spec/idmapped-mount.ts.
import { MOUNT_ATTR, MS } from "./mount-flags.ts";

export type AccessTime = "relatime" | "noatime" | "strictatime";

/** Options that belong to the file system's superblock, not to the one mount of it. `ro` is both. */
export type SuperblockFlag = "sync" | "dirsync" | "lazytime" | "mand" | "iversion" | "silent";

export interface Propagation {
  readonly name: string;
  /** MS_SHARED, MS_SLAVE, MS_PRIVATE or MS_UNBINDABLE. */
  readonly flag: keyof typeof MS;
  readonly recursive: boolean;
}

/** What one option means. */
type Meaning =
  | { readonly kind: "attribute"; readonly bit: number; readonly on: boolean; readonly recursive: boolean }
  | { readonly kind: "atime"; readonly mode: AccessTime; readonly on: boolean; readonly recursive: boolean }
  | { readonly kind: "superblock"; readonly flag: SuperblockFlag; readonly on: boolean }
  | { readonly kind: "propagation"; readonly propagation: Propagation }
  | { readonly kind: "bind"; readonly recursive: boolean }
  | { readonly kind: "remount" | "tmpcopyup" | "nothing" };

// Options that also have a form for all mounts below, with an r before the name.
const ATTRIBUTES: Readonly<Record<string, readonly [bit: keyof typeof MOUNT_ATTR, on: boolean]>> = {
  ro: ["MOUNT_ATTR_RDONLY", true],
  rw: ["MOUNT_ATTR_RDONLY", false],
  nosuid: ["MOUNT_ATTR_NOSUID", true],
  suid: ["MOUNT_ATTR_NOSUID", false],
  nodev: ["MOUNT_ATTR_NODEV", true],
  dev: ["MOUNT_ATTR_NODEV", false],
  noexec: ["MOUNT_ATTR_NOEXEC", true],
  exec: ["MOUNT_ATTR_NOEXEC", false],
  nodiratime: ["MOUNT_ATTR_NODIRATIME", true],
  diratime: ["MOUNT_ATTR_NODIRATIME", false],
  nosymfollow: ["MOUNT_ATTR_NOSYMFOLLOW", true],
  symfollow: ["MOUNT_ATTR_NOSYMFOLLOW", false],
};
const ACCESS_TIMES: Readonly<Record<string, readonly [mode: AccessTime, on: boolean]>> = {
  relatime: ["relatime", true],
  norelatime: ["relatime", false],
  noatime: ["noatime", true],
  atime: ["noatime", false],
  strictatime: ["strictatime", true],
  nostrictatime: ["strictatime", false],
};
const PROPAGATIONS: Readonly<Record<string, keyof typeof MS>> = {
  shared: "MS_SHARED",
  slave: "MS_SLAVE",
  private: "MS_PRIVATE",
  unbindable: "MS_UNBINDABLE",
};
// Options that have no such form.
const OTHERS: Readonly<Record<string, Meaning>> = {
  defaults: { kind: "nothing" },
  idmap: { kind: "nothing" },
  ridmap: { kind: "nothing" },
  bind: { kind: "bind", recursive: false },
  rbind: { kind: "bind", recursive: true },
  remount: { kind: "remount" },
  tmpcopyup: { kind: "tmpcopyup" },
  sync: { kind: "superblock", flag: "sync", on: true },
  async: { kind: "superblock", flag: "sync", on: false },
  dirsync: { kind: "superblock", flag: "dirsync", on: true },
  lazytime: { kind: "superblock", flag: "lazytime", on: true },
  nolazytime: { kind: "superblock", flag: "lazytime", on: false },
  mand: { kind: "superblock", flag: "mand", on: true },
  nomand: { kind: "superblock", flag: "mand", on: false },
  iversion: { kind: "superblock", flag: "iversion", on: true },
  noiversion: { kind: "superblock", flag: "iversion", on: false },
  silent: { kind: "superblock", flag: "silent", on: true },
  loud: { kind: "superblock", flag: "silent", on: false },
};

function lookUp<T>(table: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(table, name) ? table[name] : undefined;
}

function findMeaning(option: string): Meaning | undefined {
  const found = lookUp(OTHERS, option) ?? findForm(option, option, false);
  return found ?? (option.startsWith("r") ? findForm(option, option.slice(1), true) : undefined);
}

function findForm(option: string, name: string, recursive: boolean): Meaning | undefined {
  const attribute = lookUp(ATTRIBUTES, name);
  if (attribute) return { kind: "attribute", bit: MOUNT_ATTR[attribute[0]], on: attribute[1], recursive };
  const atime = lookUp(ACCESS_TIMES, name);
  if (atime) return { kind: "atime", mode: atime[0], on: atime[1], recursive };
  const flag = lookUp(PROPAGATIONS, name);
  return flag && { kind: "propagation", propagation: { name: option, flag, recursive } };
}

/** Every option that has a meaning of its own, sorted; any other is data for the file system. */
export function listMountOptions(): readonly string[] {
  const forms = [ATTRIBUTES, ACCESS_TIMES, PROPAGATIONS].flatMap((table) => Object.keys(table));
  return [...Object.keys(OTHERS), ...forms, ...forms.map((name) => `r${name}`)].sort();
}

/** Attributes of a mount that are set and cleared: attr_set and attr_clr of mount_setattr(2). */
export interface AttributeChange {
  readonly set: number;
  readonly clear: number;
}

export interface MountOptions {
  readonly bind: "shallow" | "recursive" | undefined;
  readonly remount: boolean;
  /** For the mount itself. */
  readonly attributes: AttributeChange;
  /** For the mount and all mounts below it. */
  readonly recursiveAttributes: AttributeChange;
  readonly superblock: ReadonlySet<SuperblockFlag>;
  /** In the order in which they are to be applied. */
  readonly propagations: readonly Propagation[];
  readonly tmpcopyup: boolean;
  /** `key` or `key=value`, values without the quotes that keep commas together. */
  readonly data: readonly string[];
}

interface AttributeDraft {
  set: number;
  clear: number;
  atime?: AccessTime | undefined;
}

/** The access-time modes are alternatives, so that a later one replaces an earlier one. */
function changeAccessTime(draft: AttributeDraft, mode: AccessTime, on: boolean): void {
  if (on) draft.atime = mode;
  else if (mode === "relatime") draft.atime = draft.atime === "relatime" ? undefined : draft.atime;
  // Not to have noatime or strictatime means to have the kernel's default.
  else if (draft.atime === undefined || draft.atime === mode) draft.atime = "relatime";
}

function finishAttributes({ set, clear, atime }: AttributeDraft): AttributeChange {
  if (atime === undefined) return { set, clear };
  const bits = { relatime: 0, noatime: MOUNT_ATTR.MOUNT_ATTR_NOATIME, strictatime: 0x20 }[atime];
  return { set: set | bits, clear: clear | MOUNT_ATTR.MOUNT_ATTR__ATIME };
}

/** Splits `a=1,b="x,y",c` at commas outside quotes; the quotes go. */
function splitData(text: string): readonly string[] {
  const parts: string[] = [];
  let part = "";
  let quoted = false;
  for (const character of text) {
    if (character === '"') quoted = !quoted;
    else if (character === "," && !quoted) {
      parts.push(part);
      part = "";
    } else part += character;
  }
  parts.push(part);
  return parts.filter((each) => each !== "");
}

/** Reads mounts[].options; of contrary options the later one holds. */
export function parseMountOptions(options: readonly string[]): MountOptions {
  const attributes: AttributeDraft = { set: 0, clear: 0 };
  const recursiveAttributes: AttributeDraft = { set: 0, clear: 0 };
  const superblock = new Set<SuperblockFlag>();
  const propagations: Propagation[] = [];
  const data: string[] = [];
  let bind: MountOptions["bind"];
  let [remount, tmpcopyup] = [false, false];
  for (const option of options) {
    const meaning = findMeaning(/^r?idmap=/.test(option) ? "idmap" : option);
    switch (meaning?.kind) {
      case undefined:
        data.push(...splitData(option));
        break;
      case "attribute": {
        const draft = meaning.recursive ? recursiveAttributes : attributes;
        draft.set = meaning.on ? draft.set | meaning.bit : draft.set & ~meaning.bit;
        draft.clear = meaning.on ? draft.clear & ~meaning.bit : draft.clear | meaning.bit;
        break;
      }
      case "atime":
        changeAccessTime(meaning.recursive ? recursiveAttributes : attributes, meaning.mode, meaning.on);
        break;
      case "superblock":
        if (meaning.on) superblock.add(meaning.flag);
        else superblock.delete(meaning.flag);
        break;
      case "propagation":
        propagations.push(meaning.propagation);
        break;
      case "bind":
        bind = meaning.recursive || bind === "recursive" ? "recursive" : "shallow";
        break;
      case "remount":
        remount = true;
        break;
      case "tmpcopyup":
        tmpcopyup = true;
        break;
    }
  }
  return {
    bind,
    remount,
    attributes: finishAttributes(attributes),
    recursiveAttributes: finishAttributes(recursiveAttributes),
    superblock,
    propagations,
    tmpcopyup,
    data,
  };
}

/**
 * Whether an option describes a new tmpfs (tmpfs(5)). Engines leave these where they bind a directory in the place of
 * a tmpfs; a bind mount has no file system of its own for them to describe.
 */
export function isTmpfsOption(option: string): boolean {
  switch (option.slice(0, option.indexOf("=") + 1)) {
    case "size=":
    case "mode=":
    case "uid=":
    case "gid=":
    case "nr_blocks=":
    case "nr_inodes=":
      return true;
    default:
      return false;
  }
}

/** The attributes of a new mount with both kinds of options, of which the recursive ones come last. */
export function mergeAttributes({ attributes, recursiveAttributes }: MountOptions): number {
  return (attributes.set & ~recursiveAttributes.clear) | recursiveAttributes.set;
}

const ATTRIBUTE_FLAGS: readonly (readonly [bit: number, flag: number])[] = [
  [MOUNT_ATTR.MOUNT_ATTR_RDONLY, MS.MS_RDONLY],
  [MOUNT_ATTR.MOUNT_ATTR_NOSUID, MS.MS_NOSUID],
  [MOUNT_ATTR.MOUNT_ATTR_NODEV, MS.MS_NODEV],
  [MOUNT_ATTR.MOUNT_ATTR_NOEXEC, MS.MS_NOEXEC],
  [MOUNT_ATTR.MOUNT_ATTR_NOATIME, MS.MS_NOATIME],
  [MOUNT_ATTR.MOUNT_ATTR_STRICTATIME, MS.MS_STRICTATIME],
  [MOUNT_ATTR.MOUNT_ATTR_NODIRATIME, MS.MS_NODIRATIME],
  [MOUNT_ATTR.MOUNT_ATTR_NOSYMFOLLOW, MS.MS_NOSYMFOLLOW],
];
const SUPERBLOCK_FLAGS: Readonly<Record<SuperblockFlag, number>> = {
  sync: MS.MS_SYNCHRONOUS,
  dirsync: MS.MS_DIRSYNC,
  lazytime: MS.MS_LAZYTIME,
  mand: MS.MS_MANDLOCK,
  iversion: MS.MS_I_VERSION,
  silent: MS.MS_SILENT,
};

/** Attributes and superblock flags as mount(2) takes them. */
export function toMountFlags(attributes: number, superblock: ReadonlySet<SuperblockFlag>): number {
  let value = 0;
  for (const [bit, flag] of ATTRIBUTE_FLAGS) if (attributes & bit) value |= flag;
  for (const flag of superblock) value |= SUPERBLOCK_FLAGS[flag];
  return value;
}
