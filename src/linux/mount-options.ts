// The options of mounts[].options: config.md "Linux mount options", mount(8), and runc's `tmpcopyup`.
// The ids of `idmap` and `ridmap` are read by src/spec/idmapped-mount.ts.
import { MOUNT_ATTR, MS } from "./mount-flags.ts";
import { type AccessTime, findMeaning, type Propagation, type SuperblockFlag } from "./mount-option-table.ts";

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
