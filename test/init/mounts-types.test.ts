// mounts[], made for real by init. What a user sees of each option is in the end-to-end tests; here are the cases that
// need a hostile root file system, a moment in between, or a look from outside: bind mounts and new file systems.
import { describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { keepBundle } from "./bundle.ts";
import { DEV, makeConfig, PROC, withContainer } from "./container.ts";

const { bundle, inRootfs, make } = keepBundle();

describe("bind", () => {
  test("with a user namespace, the source is what it was when the namespaces were made, whatever its path is later", () => {
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
