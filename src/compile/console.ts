// The terminal of a process (config.md, "process.terminal"): a pty of the container's own devpts instance, opened in
// the container. The paths below lie in the container's root and may be hostile, so each descriptor is proved before
// it is used, and nothing is mounted by path (CVE-2025-52565).
import { errnoNumber } from "../linux/errno.ts";
import { AT_FDCWD, load, openFlags, openHow, type PlanBuilder, struct, u32 } from "../plan/build.ts";
import type { Field, NumberArg, Result } from "../plan/step.ts";
import { describeRights, sendRights } from "./scm-rights.ts";

const number = (value: number, text: string): NumberArg => ({ kind: "number", value, text });
const TIOCSPTLCK = number(0x40045431, "TIOCSPTLCK");
const TIOCGPTPEER = number(0x5441, "TIOCGPTPEER");
const TIOCSWINSZ = number(0x5414, "TIOCSWINSZ");
const TIOCSCTTY = number(0x540e, "TIOCSCTTY");
const AT_EMPTY_PATH = number(0x1000, "AT_EMPTY_PATH");
const OPEN_TREE_FLAGS = number(0x81001, "AT_EMPTY_PATH|OPEN_TREE_CLONE|OPEN_TREE_CLOEXEC");
const MOVE_MOUNT_FLAGS = number(0x44, "MOVE_MOUNT_F_EMPTY_PATH|MOVE_MOUNT_T_EMPTY_PATH");
const STATX_TYPE = number(1, "STATX_TYPE");

/** openat2(2): RESOLVE_NO_XDEV 1, RESOLVE_NO_MAGICLINKS 2, RESOLVE_NO_SYMLINKS 4, RESOLVE_BENEATH 8. */
const NO_LINKS = 0x02 | 0x04;
const WITHIN_DEVPTS = 0x01 | 0x02 | 0x04 | 0x08;

const DEVPTS_SUPER_MAGIC = 0x1cd1;
const STATFS_SIZE = 120;
const STATX_SIZE = 256;
const STATX_MODE_OFFSET = 28;
const STATX_RDEV_OFFSET = 128; // major, minor: 4 bytes each
const S_IFMT = 0xf000;
const S_IFCHR = 0x2000;
const PTMX_DEVICE = 5n | (2n << 32n);
const ALL_BITS = (1n << 64n) - 1n;
const OPEN_HOW_SIZE = 24;
/** What runc sends along with the master; receivers may show it. */
const MASTER_NAME = "/dev/pts/ptmx";

export interface ConsoleOptions {
  /** Descriptor, in init, of the stream socket that gets the master; closed after use. */
  readonly socket: number;
  /** Uid, in the container, that gets the terminal. */
  readonly uid: number;
  readonly consoleSize?: { readonly height: number; readonly width: number } | undefined;
  /** Also bind it on /dev/console: for a container's first process, not for an exec. */
  readonly bindConsole: boolean;
}

/**
 * Opens the terminal, sends its master over the console socket, and makes it the controlling terminal of a new
 * session and descriptors 0, 1 and 2. For init as root of the container, after pivot_root (exec: after setns), and
 * before the root and /dev become read-only.
 */
export function openConsole(p: PlanBuilder, options: ConsoleOptions): void {
  p.at("process.terminal", "open a terminal", () => {
    const master = openMaster(p);
    const slave = openSlave(p, master);
    const { consoleSize, uid, socket } = options;
    if (consoleSize && consoleSize.height !== 0 && consoleSize.width !== 0)
      p.at("process.consoleSize", "set the terminal's size", () => {
        const size = [u16("ws_row", consoleSize.height), u16("ws_col", consoleSize.width)];
        p.call("ioctl", [master, TIOCSWINSZ, struct(...size, u16("", 0), u16("", 0))]);
      });
    if (options.bindConsole) bindConsole(p, slave);
    p.at("process.terminal", "send the terminal to the console socket", () => {
      const name = { kind: "string", value: MASTER_NAME } as const;
      sendRights(p, socket, name, MASTER_NAME.length, describeRights(master));
    });
    p.call("close", [master]);
    p.call("close", [socket]);
    // EPERM: this process leads a session already. If that has a terminal, TIOCSCTTY fails.
    p.call("setsid", [], { tolerate: ["EPERM"] });
    p.call("ioctl", [slave, TIOCSCTTY, 0]);
    // The group is left as the devpts mount's gid option has it. As with runc, a /dev that is read-only and an owner
    // that the user namespace does not map leave the terminal as it is.
    p.call("fchown", [slave, uid, -1], { tolerate: ["EPERM", "EROFS"] });
    for (const fd of [0, 1, 2]) p.call("dup3", [slave, fd, 0]);
    p.call("close", [slave]);
  });
}

function u16(name: string, value: number): Field {
  return { name, width: 2, value };
}

/**
 * Opening a device can have effects, so the directory is proved to be a devpts first: in there, on the same mount,
 * `ptmx` can be nothing else than the multiplexer of this instance.
 */
function openMaster(p: PlanBuilder): Result {
  const directory = p.call(
    "openat2",
    [AT_FDCWD, "/dev/pts", openHow(openFlags("O_PATH", "O_DIRECTORY", "O_CLOEXEC"), NO_LINKS), OPEN_HOW_SIZE],
    { name: "devpts" },
  );
  const statfs = p.buffer(STATFS_SIZE, "statfs");
  p.call("fstatfs", [directory, statfs]);
  const failure = "process.terminal: /dev/pts is not a devpts file system";
  p.check(load(statfs, 0, 8, "f_type"), ALL_BITS, DEVPTS_SUPER_MAGIC, errnoNumber("ENODEV"), { failure });
  const how = openHow(openFlags("O_RDWR", "O_NOCTTY", "O_CLOEXEC"), WITHIN_DEVPTS);
  const master = p.call("openat2", [directory, "ptmx", how, OPEN_HOW_SIZE], { name: "master" });
  p.call("close", [directory]);
  const stat = p.buffer(STATX_SIZE, "stat");
  p.call("statx", [master, "", AT_EMPTY_PATH, STATX_TYPE, stat]);
  const notPtmx = { failure: "process.terminal: /dev/pts/ptmx is not the pty multiplexer" };
  p.check(load(stat, STATX_MODE_OFFSET, 4, "stx_mode"), S_IFMT, S_IFCHR, errnoNumber("ENODEV"), notPtmx);
  const rdev = load(stat, STATX_RDEV_OFFSET, 8, "stx_rdev");
  p.check(rdev, ALL_BITS, PTMX_DEVICE, errnoNumber("ENODEV"), notPtmx);
  return master;
}

/** The slave comes from the master itself, never from a path (ioctl_tty(2), TIOCGPTPEER). */
function openSlave(p: PlanBuilder, master: Result): Result {
  p.call("ioctl", [master, TIOCSPTLCK, struct(u32("lock", 0))]);
  return p.call("ioctl", [master, TIOCGPTPEER, openFlags("O_RDWR", "O_NOCTTY", "O_CLOEXEC")], {
    name: "slave",
  });
}

/** Both ends of the bind mount are descriptors; a symbolic link at /dev/console is an error. */
function bindConsole(p: PlanBuilder, slave: Result): void {
  p.at("process.terminal", "bind the terminal on /dev/console", () => {
    const create = openHow(openFlags("O_WRONLY", "O_CREAT", "O_EXCL", "O_CLOEXEC"), NO_LINKS, 0o666);
    const index = p.length;
    p.call("openat2", [AT_FDCWD, "/dev/console", create, OPEN_HOW_SIZE], {
      name: "created",
      tolerate: ["EEXIST"],
      onSuccess: () => p.call("close", [{ kind: "result", step: index, name: "created" }]),
    });
    const find = openHow(openFlags("O_PATH", "O_CLOEXEC"), NO_LINKS);
    const target = p.call("openat2", [AT_FDCWD, "/dev/console", find, OPEN_HOW_SIZE], { name: "console" });
    const tree = p.call("open_tree", [slave, "", OPEN_TREE_FLAGS], { name: "terminal" });
    p.call("move_mount", [tree, "", target, "", MOVE_MOUNT_FLAGS]);
    p.call("close", [tree]);
    p.call("close", [target]);
  });
}
