// What each option of mounts[].options means: config.md "Linux mount options", mount(8), and runc's `tmpcopyup`.
// The ids of `idmap` and `ridmap` are read by src/spec/idmapped-mount.ts.
import type { MS } from "./mount-flags.ts";
import { MOUNT_ATTR } from "./mount-flags.ts";

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
export type Meaning =
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

/** The meaning of an option; undefined for data of the file system. */
export function findMeaning(option: string): Meaning | undefined {
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
