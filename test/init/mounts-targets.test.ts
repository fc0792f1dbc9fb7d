// mounts[], made for real by init. What a user sees of each option is in the end-to-end tests; here are the cases that
// need a hostile root file system, a moment in between, or a look from outside: targets, and /proc.
import { describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { keepBundle } from "./bundle.ts";
import { makeConfig, withContainer } from "./container.ts";

const { bundle, inRootfs, make, makeOutside } = keepBundle();

describe("targets", () => {
  test("a link out of the root file system is followed within it", () => {
    const outside = makeOutside();
    symlinkSync(outside, inRootfs("absolute"));
    symlinkSync("../../../../../..".concat(outside), inRootfs("relative"));
    for (const name of ["absolute", "relative"]) {
      make([{ destination: `/${name}`, type: "tmpfs", source: "t" }], (made) => {
        expect(made.line(outside).fsType).toBe("tmpfs");
      });
      rmSync(inRootfs(outside), { recursive: true }); // made where the link leads to in the root file system
    }
    mkdirSync(inRootfs(outside), { recursive: true });
    for (const name of ["absolute", "relative"])
      make([{ destination: `/${name}/made`, type: "tmpfs", source: "t" }], (made) => {
        expect(made.line(`${outside}/made`).fsType).toBe("tmpfs");
      });
    expect(readdirSync(outside)).toEqual([]);
  });
  test("a magic link is never followed", () => {
    symlinkSync("/proc/self/root", inRootfs("magic"));
    expect(() =>
      make([{ destination: "/magic/tmp/tsrunc-magic", type: "tmpfs", source: "t" }], () => {}),
    ).toThrow("too many levels of symbolic links");
    expect(existsSync("/tmp/tsrunc-magic")).toBe(false);
  });
  test("directories and links that change places all the time: nothing is made or mounted outside", () => {
    const outside = makeOutside();
    mkdirSync(inRootfs("a"));
    symlinkSync(outside, inRootfs("b"));
    const racer = Bun.spawn(["python3", "-c", exchangeInPython(inRootfs("a"), inRootfs("b"))]);
    try {
      const mounts = Array.from({ length: 20 }, (_, i) => ({
        destination: `/a/d${i}/e`,
        type: "tmpfs",
        source: "t",
      }));
      const end = Date.now() + 30_000;
      const isFollowed = (): boolean => existsSync(inRootfs(outside)); // the link, while it led nowhere
      for (let i = 0; i < 25 || (!isFollowed() && Date.now() < end); i++) {
        try {
          make(mounts, (made) => {
            // After pivot_root(2) only what is mounted in the root can be seen.
            expect(made.lines.filter(({ path }) => /\/d\d+\/e$/.test(path))).toHaveLength(mounts.length);
          });
        } catch (error) {
          expect(String(error)).toMatch(/no such file|not a directory|too many levels of symbolic links/);
        }
      }
      expect(isFollowed()).toBe(true);
      expect(racer.exitCode).toBe(null);
    } finally {
      racer.kill("SIGKILL");
    }
    expect(readdirSync(outside)).toEqual([]);
  }, 60_000);
  test("parents that are files are an error", () => {
    writeFileSync(inRootfs("etc/file"), "");
    expect(() => make([{ destination: "/etc/file/x", type: "tmpfs", source: "t" }], () => {})).toThrow(
      "not a directory",
    );
  });
  test("the root itself is refused", () => {
    for (const destination of ["/", ".", "/x/.."])
      expect(() => make([{ destination, type: "tmpfs", source: "t" }], () => {})).toThrow(
        'mounts[2].destination: "/" cannot be mounted because it is the root of the container',
      );
  });
});

describe("/proc", () => {
  for (const [title, destination] of [
    ["a path below it", "/proc/sys/kernel"],
    ["a path that is not clean", "/tmp/../proc//self/attr"],
  ] as const)
    test(`${title} is refused`, () => {
      expect(() => make([{ destination, type: "tmpfs", source: "t" }], () => {})).toThrow(
        /"\/proc\/[a-z/]+" cannot be mounted because it is inside \/proc/,
      );
    });
  for (const [name, target] of [
    ["directory", "/proc/sys"],
    ["root", "/proc"],
    ["file", "/proc/version"],
  ] as const)
    test(`an innocent path that a link leads into it is refused (${name})`, () => {
      symlinkSync(target, inRootfs("innocent"));
      const mount =
        name === "file"
          ? { type: "bind", source: "/etc/hostname", options: ["bind"] }
          : { type: "tmpfs", source: "t" };
      expect(() => make([{ destination: "/innocent", ...mount }], () => {})).toThrow(
        /mounts\[2\].*"\/innocent" cannot be mounted because it is inside \/proc/,
      );
    });
  test("another procfs elsewhere may be mounted on, as monitoring tools have it", () => {
    make(
      [
        { destination: "/host/proc", type: "bind", source: "/proc", options: ["rbind"] },
        { destination: "/host/proc/sys", type: "tmpfs", source: "t" },
      ],
      (made) => expect(made.line("/host/proc/sys").fsType).toBe("tmpfs"),
    );
  });
  for (const [type, name] of [
    ["proc", "proc"],
    ["sysfs", "sys"],
  ] as const)
    test(`${type} needs an ordinary directory`, () => {
      rmSync(inRootfs(name), { recursive: true });
      mkdirSync(inRootfs("real"));
      symlinkSync("/real", inRootfs(name));
      const mounts = [{ destination: `/${name}`, type, source: type }];
      expect(() => withContainer(bundle, makeConfig({ mounts }), () => {})).toThrow(
        `filesystem "${type}" must be mounted on ordinary directory`,
      );
    });
  test("a directory bound on it is refused, a procfs is not", () => {
    const bind = (source: string) => ({ destination: "/proc", type: "bind", source, options: ["rbind"] });
    expect(() => withContainer(bundle, makeConfig({ mounts: [bind("/tmp")] }), () => {})).toThrow(
      '"/proc" cannot be mounted because it is not of type proc',
    );
    withContainer(bundle, makeConfig({ mounts: [bind("/proc")] }), (made) => {
      expect(made.lines.find((line) => line.path === "/proc")?.fsType).toBe("proc");
    });
  });
});

/** renameat2(2) with RENAME_EXCHANGE, for ever. */
function exchangeInPython(a: string, b: string): string {
  return `
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
while libc.renameat2(-100, ${JSON.stringify(a)}.encode(), -100, ${JSON.stringify(b)}.encode(), 2) == 0: pass
raise OSError(ctypes.get_errno(), "renameat2")
`;
}
