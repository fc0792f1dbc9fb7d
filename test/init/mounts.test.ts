// mounts[], made for real by init. What a user sees of each option is in the end-to-end tests; here are the cases that
// need a hostile root file system, a moment in between, or a look from outside.

import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import type { Mount } from "../../src/spec/config.ts";
import {
  DEV,
  type Made,
  type MakeOptions,
  makeBundle,
  makeConfig,
  PROC,
  removeBundle,
  withContainer,
} from "./container.ts";

let bundle = makeBundle();
beforeEach(() => {
  removeBundle(bundle);
  bundle = makeBundle();
});
afterAll(() => removeBundle(bundle));

const inRootfs = (path: string) => join(bundle, "rootfs", path);

function make<T>(mounts: Mount[], look: (made: Made) => T, options?: MakeOptions): T {
  return withContainer(bundle, makeConfig({ mounts: [PROC, DEV, ...mounts] }), look, options);
}

/** A directory outside of the root file system that must stay as it is. */
function makeOutside(): string {
  const outside = join(bundle, "outside");
  mkdirSync(outside);
  return outside;
}

describe("targets", () => {
  test("a link out of the root file system is followed within it", () => {
    const outside = makeOutside();
    symlinkSync(outside, inRootfs("absolute"));
    symlinkSync("../../../../../..".concat(outside), inRootfs("relative"));
    for (const name of ["absolute", "relative"])
      expect(() => make([{ destination: `/${name}`, type: "tmpfs", source: "t" }], () => {})).toThrow(
        /mounts\[2\]: tmpfs on .*no such file or directory/,
      );
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
      for (let i = 0; i < 25; i++) {
        try {
          make(mounts, (made) => {
            for (const line of made.lines) expect(line.path).not.toContain("outside");
          });
        } catch (error) {
          expect(String(error)).toMatch(/no such file|not a directory/);
        }
      }
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

describe("bind", () => {
  test("with a user namespace, the source is what it was before the namespaces, whatever its path is later", () => {
    const [source, other] = ["source", "other"].map((name) => {
      const path = join(bundle, name);
      mkdirSync(path);
      writeFileSync(join(path, "name"), name);
      return path;
    }) as [string, string];
    const meanwhile = () => {
      renameSync(source, `${source}.away`);
      renameSync(other, source);
    };
    spawnSync("chown", ["-R", "100000:100000", join(bundle, "rootfs")]); // its root may make things in it
    withContainer(
      bundle,
      makeConfig({
        mounts: [PROC, DEV, { destination: "/mnt", type: "bind", source: "source", options: ["bind"] }],
        linux: {
          namespaces: (["user", "pid", "mount", "ipc", "uts", "network"] as const).map((type) => ({ type })),
          uidMappings: [{ containerID: 0, hostID: 100000, size: 65536 }],
          gidMappings: [{ containerID: 0, hostID: 100000, size: 65536 }],
        },
      }),
      (made) => expect(readFileSync(made.path("/mnt/name"), "utf8")).toBe("source"),
      { meanwhile },
    );
  });
  test("a source in the container is none: paths are the host's", () => {
    mkdirSync(inRootfs("only/inside"), { recursive: true });
    expect(() =>
      make([{ destination: "/mnt", type: "bind", source: "/only/inside", options: ["bind"] }], () => {}),
    ).toThrow(
      'mounts[2]: bind /only/inside on /mnt: open_tree(AT_FDCWD, "/only/inside", ' +
        "OPEN_TREE_CLONE|OPEN_TREE_CLOEXEC): no such file or directory",
    );
  });
  test("options of file systems are refused", () => {
    expect(() =>
      make(
        [{ destination: "/mnt", type: "bind", source: "/tmp", options: ["bind", "size=1k", "bogus,data=1"] }],
        () => {},
      ),
    ).toThrow('mounts[2].options: a bind mount takes no options of a file system, and has "bogus,data=1"');
  });
  test("a file on a directory", () => {
    expect(() =>
      make([{ destination: "/etc", type: "bind", source: "/etc/hostname", options: ["bind"] }], () => {}),
    ).toThrow(/mounts\[2\]: bind \/etc\/hostname on \/etc: .*not a directory/);
  });
  test("an access-time mode replaces another, and nodiratime stands beside it", () => {
    for (const [options, shown, hidden] of [
      [["noatime", "strictatime"], [], ["noatime", "relatime"]],
      [["strictatime", "noatime", "nodiratime"], ["noatime", "nodiratime"], ["relatime"]],
      [["noatime", "atime"], ["relatime"], ["noatime"]],
      [["rnoatime", "noexec"], ["noatime", "noexec"], []],
    ] as const)
      make([{ destination: "/mnt", type: "bind", source: "/etc", options: ["bind", ...options] }], (made) => {
        const seen = made.line("/mnt").options;
        expect(seen).toEqual(expect.arrayContaining([...shown]));
        for (const option of hidden) expect(seen).not.toContain(option);
      });
  });
});

describe("new file systems", () => {
  test("commas within quotes are part of a value; one element may hold several options", () => {
    make(
      [{ destination: "/mnt", type: "tmpfs", source: "t", options: ["size=64k,nr_inodes=9", "mode=711"] }],
      (made) =>
        expect(made.line("/mnt").superOptions).toEqual(
          expect.arrayContaining(["size=64k", "nr_inodes=9", "mode=711"]),
        ),
    );
  });
  test("values above 255 bytes", () => {
    const directories = Array.from({ length: 12 }, (_, i) => join(bundle, `layer-${"x".repeat(20)}-${i}`));
    for (const directory of [...directories, join(bundle, "upper"), join(bundle, "work")])
      mkdirSync(directory);
    writeFileSync(join(directories[3] as string, "found"), "deep");
    const options = [
      `lowerdir=${directories.join(":")}`,
      `upperdir=${join(bundle, "upper")}`,
      `workdir=${join(bundle, "work")}`,
    ];
    make(
      [
        {
          destination: "/mnt",
          type: "overlay",
          source: "overlay",
          options: [...options, "nodev", "private"],
        },
      ],
      (made) => {
        expect(readFileSync(made.path("/mnt/found"), "utf8")).toBe("deep");
        expect(made.line("/mnt").options).toContain("nodev");
      },
    );
  });
  test("iversion and silent", () => {
    for (const option of ["iversion", "silent"])
      make(
        [{ destination: "/tmp", type: "tmpfs", source: "t", options: [option, "ro", "size=64k"] }],
        (made) => {
          expect(made.line("/tmp").superOptions).toContain("size=64k");
          expect(made.line("/tmp").options).toContain("ro");
        },
      );
  });
  test("a tmpfs has the mode of what it covers, and the kernel's default over nothing", () => {
    mkdirSync(inRootfs("covered"), { mode: 0o2750 });
    Bun.spawnSync(["chmod", "2750", inRootfs("covered")]);
    make(
      [
        { destination: "/covered", type: "tmpfs", source: "t" },
        { destination: "/new", type: "tmpfs", source: "t" },
        { destination: "/given", type: "tmpfs", source: "t", options: ["mode=0700"] },
      ],
      (made) => {
        const modes = ["/covered", "/new", "/given"].map((path) => statSync(made.path(path)).mode & 0o7777);
        expect(modes).toEqual([0o2750, 0o1777, 0o700]);
      },
    );
  });
  test("remount changes what is mounted", () => {
    make(
      [
        { destination: "/mnt", type: "tmpfs", source: "t", options: ["size=64k"] },
        {
          destination: "/mnt",
          type: "tmpfs",
          source: "t",
          options: ["remount", "size=128k", "noexec", "ro"],
        },
      ],
      (made) => {
        expect(made.lines.filter((line) => line.path === "/mnt")).toHaveLength(1);
        expect(made.line("/mnt").superOptions).toEqual(expect.arrayContaining(["size=128k", "ro"]));
        expect(made.line("/mnt").options).toContain("noexec");
      },
    );
  });
  test("sysfs that is read-only for one container is not so for another in the same network namespace", () => {
    make([{ destination: "/sys", type: "sysfs", source: "sysfs", options: ["ro"] }], (made) => {
      expect(made.line("/sys").options).toContain("ro");
      expect(made.line("/sys").superOptions).toContain("rw");
    });
  });
  test("a refused option is told with the kernel's own words", () => {
    expect(() =>
      make([{ destination: "/mnt", type: "tmpfs", source: "t", options: ["size=many"] }], () => {}),
    ).toThrow(/mounts\[2\]: tmpfs on \/mnt: fsconfig\(.*"size", "many".*\): invalid argument \(.*size.*\)/);
  });
  test("propagation comes after attaching", () => {
    const shared = { destination: "/outer", type: "tmpfs", source: "t", options: ["shared"] };
    const inner = (option: string) => ({
      destination: "/outer/in",
      type: "tmpfs",
      source: "t",
      options: [option],
    });
    make([shared, inner("private")], (made) => {
      expect(made.line("/outer").propagation).toMatch(/shared/);
      expect(made.line("/outer/in").propagation).toBe("");
    });
    make([shared, inner("unbindable")], (made) =>
      expect(made.line("/outer/in").propagation).toBe("unbindable"),
    );
    make([shared, inner("shared")], (made) => expect(made.line("/outer/in").propagation).toMatch(/shared/));
  });
});

describe("cgroup", () => {
  const hierarchies = readdirSync("/sys/fs/cgroup").filter((name) =>
    readFileSync("/proc/self/mountinfo", "utf8").includes(` /sys/fs/cgroup/${name} `),
  );
  const v1 = hierarchies.includes("pids") && hierarchies.includes("systemd");
  const cgroups = {
    hierarchies: ["pids", "systemd"].map((name) => ({ name, source: `/sys/fs/cgroup/${name}` })),
    links: [{ name: "other", target: "pids" }],
  };
  const mount = {
    destination: "/sys/fs/cgroup",
    type: "cgroup",
    source: "cgroup",
    options: ["ro", "nosuid"],
  };
  for (const own of [true, false])
    test.skipIf(!v1)(`version 1, ${own ? "with" : "without"} a cgroup namespace`, () => {
      const config = makeConfig({ mounts: [PROC, DEV, mount] });
      const namespaces = [...(config.linux?.namespaces ?? []), ...(own ? [{ type: "cgroup" as const }] : [])];
      withContainer(
        bundle,
        { ...config, linux: { ...config.linux, namespaces } },
        (made) => {
          expect(made.line("/sys/fs/cgroup").options).toEqual(expect.arrayContaining(["ro", "nosuid"]));
          for (const [name, option] of [
            ["pids", "pids"],
            ["systemd", "name=systemd"],
          ] as const) {
            const line = made.line(`/sys/fs/cgroup/${name}`);
            expect(line.fsType).toBe("cgroup");
            expect(line.superOptions).toContain(option);
            expect(line.options).toEqual(expect.arrayContaining(["ro", "nosuid"]));
          }
          expect(readlinkSync(made.path("/sys/fs/cgroup/other"))).toBe("pids");
        },
        { cgroups },
      );
    });
});

describe("devices", () => {
  test("a /dev that is a link stays inside, with and without a mount on it", () => {
    const outside = makeOutside();
    rmSync(inRootfs("dev"), { recursive: true });
    symlinkSync(outside, inRootfs("dev"));
    mkdirSync(inRootfs(outside), { recursive: true });
    for (const mounts of [[PROC], [PROC, DEV]])
      withContainer(bundle, makeConfig({ mounts }), (made) => {
        expect(lstatSync(made.path(`${outside}/null`)).isCharacterDevice()).toBe(true);
      });
    expect(readdirSync(outside)).toEqual([]);
  });
  test("what is there already must be the device", () => {
    const bare = makeConfig({ mounts: [PROC] });
    withContainer(bundle, bare, () => {});
    withContainer(bundle, bare, () => {}); // all there from the first time
    for (const replace of [
      () => writeFileSync(inRootfs("dev/null"), ""),
      () => symlinkSync("/dev/zero", inRootfs("dev/null")),
      () => Bun.spawnSync(["mknod", inRootfs("dev/null"), "c", "1", "5"]),
      () => Bun.spawnSync(["mknod", inRootfs("dev/null"), "b", "1", "3"]),
    ]) {
      rmSync(inRootfs("dev/null"));
      replace();
      expect(() => withContainer(bundle, bare, () => {})).toThrow(
        "create the device /dev/null: something else is there already",
      );
    }
  });
  test("linux.devices replaces a default device of the same path", () => {
    const config = makeConfig();
    const devices = [
      { type: "c", path: "/dev//null", major: 1n, minor: 5n, fileMode: 0o600, uid: 7, gid: 8 },
    ];
    withContainer(bundle, { ...config, linux: { ...config.linux, devices } } as never, (made) => {
      const stat = lstatSync(made.path("/dev/null"));
      expect([stat.rdev, stat.mode & 0o7777, stat.uid, stat.gid]).toEqual([
        statSync("/dev/zero").rdev,
        0o600,
        7,
        8,
      ]);
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
