// Constants of the mount interfaces and of path look-up, the same on every architecture. Sources: the kernel's
// include/uapi/linux/{mount,fcntl,openat2,stat,magic}.h.

/** mount(2). */
export const MS = {
  MS_RDONLY: 1,
  MS_NOSUID: 2,
  MS_NODEV: 4,
  MS_NOEXEC: 8,
  MS_SYNCHRONOUS: 16,
  MS_REMOUNT: 32,
  MS_MANDLOCK: 64,
  MS_DIRSYNC: 128,
  MS_NOSYMFOLLOW: 256,
  MS_NOATIME: 1024,
  MS_NODIRATIME: 2048,
  MS_REC: 16384,
  MS_SILENT: 32768,
  MS_UNBINDABLE: 1 << 17,
  MS_PRIVATE: 1 << 18,
  MS_SLAVE: 1 << 19,
  MS_SHARED: 1 << 20,
  MS_RELATIME: 1 << 21,
  MS_I_VERSION: 1 << 23,
  MS_STRICTATIME: 1 << 24,
  MS_LAZYTIME: 1 << 25,
} as const;

/** umount2(2). */
export const MNT = { MNT_DETACH: 2 } as const;

/** mount_setattr(2), fsmount(2). The access-time bits are one value: relatime 0, noatime, strictatime. */
export const MOUNT_ATTR = {
  MOUNT_ATTR_RDONLY: 0x1,
  MOUNT_ATTR_NOSUID: 0x2,
  MOUNT_ATTR_NODEV: 0x4,
  MOUNT_ATTR_NOEXEC: 0x8,
  MOUNT_ATTR__ATIME: 0x70,
  MOUNT_ATTR_NOATIME: 0x10,
  MOUNT_ATTR_STRICTATIME: 0x20,
  MOUNT_ATTR_NODIRATIME: 0x80,
  MOUNT_ATTR_IDMAP: 0x100000,
  MOUNT_ATTR_NOSYMFOLLOW: 0x200000,
} as const;

/** Size of struct mount_attr. */
export const MOUNT_ATTR_SIZE = 32;

/** Flags of the *at calls. */
export const AT = {
  AT_SYMLINK_NOFOLLOW: 0x100,
  AT_EMPTY_PATH: 0x1000,
  AT_RECURSIVE: 0x8000,
} as const;

/** open_tree(2); OPEN_TREE_CLOEXEC is O_CLOEXEC. */
export const OPEN_TREE = { OPEN_TREE_CLONE: 1, OPEN_TREE_CLOEXEC: 0o2000000, ...AT } as const;

/** move_mount(2). */
export const MOVE_MOUNT = { MOVE_MOUNT_F_EMPTY_PATH: 0x4, MOVE_MOUNT_T_EMPTY_PATH: 0x40 } as const;

/** fsopen(2), fspick(2), fsmount(2). */
export const FS = { FSOPEN_CLOEXEC: 1, FSPICK_CLOEXEC: 1, FSPICK_EMPTY_PATH: 8, FSMOUNT_CLOEXEC: 1 } as const;

/** Commands of fsconfig(2). */
export const FSCONFIG = {
  FSCONFIG_SET_FLAG: 0,
  FSCONFIG_SET_STRING: 1,
  FSCONFIG_CMD_CREATE: 6,
  FSCONFIG_CMD_RECONFIGURE: 7,
} as const;

/** Longest value of FSCONFIG_SET_STRING in bytes; mount(2) takes a page for all options together. */
export const FSCONFIG_STRING_MAX = 255;

/** openat2(2). */
export const RESOLVE = {
  RESOLVE_NO_XDEV: 0x1,
  RESOLVE_NO_MAGICLINKS: 0x2,
  RESOLVE_NO_SYMLINKS: 0x4,
  RESOLVE_BENEATH: 0x8,
  RESOLVE_IN_ROOT: 0x10,
} as const;

/** File types in a mode (inode(7)). */
export const S = {
  S_IFMT: 0o170000,
  S_IFIFO: 0o010000,
  S_IFCHR: 0o020000,
  S_IFDIR: 0o040000,
  S_IFBLK: 0o060000,
  S_IFREG: 0o100000,
  S_IFLNK: 0o120000,
} as const;

/** statx(2): what is asked for, the structure's size, and where its members lie. */
export const STATX = { STATX_TYPE: 0x1, STATX_MODE: 0x2, STATX_INO: 0x100, STATX_MNT_ID: 0x1000 } as const;
export const STATX_BASIC_STATS = 0x7ff;
export const STATX_SIZE = 256;
export const STATX_OFFSETS = {
  uid: 20,
  gid: 24,
  mode: 28,
  ino: 32,
  size: 40,
  atime: 64,
  mtime: 112,
  rdev: 128,
  mountId: 144,
};

/** statfs(2): the structure's size on 64-bit architectures; `f_type` is its first member, 8 bytes wide. */
export const STATFS_SIZE = 120;
export const PROC_SUPER_MAGIC = 0x9fa0;

/** Size of struct open_how. */
export const OPEN_HOW_SIZE = 24;
