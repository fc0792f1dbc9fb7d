// The console as init makes it, in a root directory with a devpts instance of its own.
import { afterAll, describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadLibc } from "../../native-bindings/libc.ts";
import { type ConsoleOptions, openConsole } from "../../src/compile/console.ts";
import { openConsolePair, receiveMaster } from "../../src/host/console.ts";
import { closeFd } from "../../src/host/fd.ts";
import { launchInit } from "../../src/host/launch.ts";
import { readArchitecture } from "../../src/host/probe.ts";
import { openSession, runPlan, type Session } from "../../src/host/session.ts";
import { AT_FDCWD, NULL, openFlags, PlanBuilder } from "../../src/plan/build.ts";
import { printPlan } from "../../src/plan/print.ts";
import type { Result } from "../../src/plan/step.ts";
import { context, installDir, noHostSteps, stopInit } from "../init/init.ts";
import { countDescriptors, listChildren } from "./leaks.ts";

const libc = loadLibc(installDir);
const folder = mkdtempSync(join(tmpdir(), "tsrunc-console-"));
afterAll(() => rmSync(folder, { recursive: true }));

const MS_PRIVATE_REC = 0x44000;
const CLONE_NEWNS = 0x20000;

interface Root {
  /** Steps with the root as working directory, before it becomes the root. */
  readonly prepare?: (p: PlanBuilder) => void;
  readonly devpts?: boolean;
}

/** A root directory, on a tmpfs in a mount namespace of init's. */
function makeRoot(p: PlanBuilder, { prepare, devpts = true }: Root): void {
  p.call("unshare", [CLONE_NEWNS]);
  p.call("mount", ["none", "/", NULL, MS_PRIVATE_REC, NULL]);
  p.call("mount", ["tmpfs", folder, "tmpfs", 0, NULL]);
  p.call("chdir", [folder]);
  for (const name of ["dev", "dev/pts"]) p.call("mkdirat", [AT_FDCWD, name, 0o755]);
  if (devpts) p.call("mount", ["devpts", "dev/pts", "devpts", 0, "newinstance,ptmxmode=0666,mode=0620"]);
  prepare?.(p);
  p.call("chroot", ["."]);
  p.call("chdir", ["/"]);
}

interface Opened {
  readonly session: Session;
  readonly master: number;
}

/** Opens a console in such a root, and gives what `check` makes of it. */
function withConsole<T>(
  root: Root,
  options: Partial<ConsoleOptions>,
  more: (p: PlanBuilder) => void,
  check: (opened: Opened) => T,
): T {
  const before = countDescriptors();
  const pair = openConsolePair(libc);
  const session = openSession(
    launchInit(context, { stdio: [0, 1, 2], pass: [pair.init] }),
    readArchitecture(),
  );
  let master: number | undefined;
  try {
    closeFd(libc, pair.init);
    const p = new PlanBuilder();
    makeRoot(p, root);
    openConsole(p, { socket: pair.init, uid: 0, bindConsole: true, ...options });
    more(p);
    runPlan(session, p.build(), noHostSteps);
    master = receiveMaster(libc, pair.host);
    return check({ session, master });
  } finally {
    stopInit(session);
    closeFd(libc, pair.host);
    if (master !== undefined) closeFd(libc, master);
    expect(countDescriptors()).toBe(before);
    expect(listChildren()).toEqual([]);
  }
}

function readMaster(fd: number): string {
  const buffer = new Uint8Array(4096);
  const count = libc.read(fd, buffer, buffer.length);
  return new TextDecoder().decode(buffer.subarray(0, count));
}

const write = (p: PlanBuilder, fd: number, text: string): void =>
  void p.call("write", [fd, text, text.length]);

describe("openConsole", () => {
  test("gives the master away, and the slave as standard streams and controlling terminal", () => {
    let tty: Result | undefined;
    const descriptors = new Map<number, Result>();
    const write012 = (p: PlanBuilder): void => {
      for (const fd of [0, 1, 2]) write(p, fd, `${fd};`);
      tty = p.call("openat", [AT_FDCWD, "/tty", openFlags("O_RDWR")], { name: "tty" });
      p.call("write", [tty, "tty;", 4]);
      for (let fd = 3; fd < 100; fd++)
        descriptors.set(fd, p.call("fcntl", [fd, 1 /* F_GETFD */, 0], { tolerate: ["EBADF"] }));
    };
    // The controlling terminal's device, 5:0.
    const prepare = (p: PlanBuilder): void =>
      void p.call("mknodat", [AT_FDCWD, "tty", 0o20666, (5 << 8) | 0]);
    withConsole({ prepare }, {}, write012, ({ session, master }) => {
      expect(readMaster(master)).toBe("0;1;2;tty;");
      // Neither the master nor the slave, the socket or anything else is left.
      const result = (of: Result): number => Number(session.results.get(of.step));
      const open = [...descriptors].filter(([, flags]) => result(flags) >= 0).map(([fd]) => fd);
      expect(new Set(open)).toEqual(new Set([session.init.initSocket, result(tty as Result)]));
    });
  });
  test("binds it on /dev/console, which need not exist", () => {
    for (const exists of [false, true]) {
      const prepare = (p: PlanBuilder): void => {
        if (exists) p.call("mknodat", [AT_FDCWD, "dev/console", 0o20600, (5 << 8) | 1]);
      };
      const more = (p: PlanBuilder): void => {
        const fd = p.call("openat", [AT_FDCWD, "/dev/console", openFlags("O_RDWR", "O_NOCTTY")], {
          name: "fd",
        });
        p.call("write", [fd, "console", 7]);
      };
      withConsole({ prepare }, {}, more, ({ master }) => expect(readMaster(master)).toBe("console"));
    }
  });
  test("does not for an exec", () => {
    const more = (p: PlanBuilder): void =>
      void p.call("faccessat2", [AT_FDCWD, "/dev/console", 0, 0], { name: "absent", tolerate: ["ENOENT"] });
    withConsole({}, { bindConsole: false }, more, ({ session }) =>
      expect([...session.results.values()].at(-1)).toBe(-2n),
    );
  });
  test("sets the size and the owner", () => {
    const stat = { kind: "buffer", name: "stat", size: 256 } as const;
    const size = { kind: "buffer", name: "size", size: 8 } as const;
    const more = (p: PlanBuilder): void => {
      p.call("statx", [0, "", 0x1000, 0x7ff, stat]);
      p.call("ioctl", [0, 0x5413 /* TIOCGWINSZ */, size]);
    };
    const consoleSize = { height: 33, width: 77 };
    withConsole({}, { uid: 1000, consoleSize }, more, ({ session }) => {
      const view = (buffer: typeof stat | typeof size): DataView =>
        new DataView((session.outputs.get(buffer) as Uint8Array).slice().buffer);
      expect(view(stat).getUint32(20, true)).toBe(1000); // stx_uid
      expect(view(size).getUint16(0, true)).toBe(33);
      expect(view(size).getUint16(2, true)).toBe(77);
    });
  });
  test("leaves a terminal alone whose owner cannot be changed", () => {
    const prepare = (p: PlanBuilder): void =>
      void p.call("mount", ["none", "dev/pts", NULL, 0x21 /* MS_REMOUNT|MS_RDONLY */, "ptmxmode=0666"]);
    withConsole(
      { prepare },
      { uid: 1000, bindConsole: false },
      () => {},
      ({ master }) => expect(master).toBeGreaterThan(2),
    );
  });
});

describe("a hostile root directory", () => {
  const refuses = (root: Root, text: string | RegExp): void => {
    expect(() =>
      withConsole(
        root,
        {},
        () => {},
        () => undefined,
      ),
    ).toThrow(text);
  };
  test("/dev/console is a symbolic link: CVE-2025-52565", () => {
    const outside = join(folder, "outside");
    const prepare = (p: PlanBuilder): void => void p.call("symlinkat", [outside, AT_FDCWD, "dev/console"]);
    refuses({ prepare }, /bind the terminal on \/dev\/console: openat2\(.*too many levels of symbolic links/);
    expect(existsSync(outside)).toBe(false);
  });
  test("/dev/console is a directory", () => {
    const prepare = (p: PlanBuilder): void => void p.call("mkdirat", [AT_FDCWD, "dev/console", 0o755]);
    refuses({ prepare }, /move_mount\(.*invalid argument/);
  });
  test("/dev/pts is an ordinary directory with a device called ptmx", () => {
    const prepare = (p: PlanBuilder): void =>
      void p.call("mknodat", [AT_FDCWD, "dev/pts/ptmx", 0o20666, (5 << 8) | 2]);
    refuses({ devpts: false, prepare }, "process.terminal: /dev/pts is not a devpts file system");
  });
  test("/dev/pts is a symbolic link", () => {
    const prepare = (p: PlanBuilder): void => {
      p.call("unlinkat", [AT_FDCWD, "dev/pts", 0x200 /* AT_REMOVEDIR */]);
      p.call("symlinkat", ["/elsewhere", AT_FDCWD, "dev/pts"]);
    };
    refuses({ devpts: false, prepare }, /openat2\(.*"\/dev\/pts".*too many levels of symbolic links/);
  });
  test("something is mounted on /dev/pts/ptmx", () => {
    const prepare = (p: PlanBuilder): void => {
      p.call("mknodat", [AT_FDCWD, "null", 0o20666, (1 << 8) | 3]);
      p.call("mount", ["null", "dev/pts/ptmx", NULL, 0x1000 /* MS_BIND */, NULL]);
    };
    refuses({ prepare }, /openat2\(devpts, "ptmx".*invalid cross-device link/);
  });
  test("/dev is missing", () => {
    const prepare = (p: PlanBuilder): void => {
      p.call("unlinkat", [AT_FDCWD, "dev/pts", 0x200]);
      p.call("unlinkat", [AT_FDCWD, "dev", 0x200]);
    };
    refuses({ devpts: false, prepare }, /openat2\(.*"\/dev\/pts".*no such file or directory/);
  });
});

test("the plan reads like strace", () => {
  const p = new PlanBuilder();
  openConsole(p, { socket: 9, uid: 1000, bindConsole: false });
  const text = printPlan(p.build());
  expect(text).toMatch('sendmsg(9, {msg_iov={iov_base="/dev/pts/ptmx"');
  expect(text).toMatch("fd=master");
});
