// The root file system and its surroundings, made for real by init.
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, existsSync, lstatSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Config } from "../../src/spec/config.ts";
import { DEV, type Made, makeBundle, makeConfig, PROC, removeBundle, withContainer } from "./container.ts";

let bundle = "";
beforeAll(() => {
  bundle = makeBundle();
  // As on most hosts: everything is on a shared mount.
  run("mount", "-t", "tmpfs", "-o", "size=16m,mode=755", "tmpfs", join(bundle, "rootfs"));
  run("mount", "--make-shared", join(bundle, "rootfs"));
  for (const name of ["bin", "dev", "etc", "proc", "tmp", "sub"]) mkdirSync(join(bundle, "rootfs", name));
  run("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", join(bundle, "rootfs/sub"));
  run("mount", "--make-shared", join(bundle, "rootfs/sub"));
});
afterAll(() => {
  run("umount", "-R", join(bundle, "rootfs"));
  removeBundle(bundle);
});

function run(...command: string[]): void {
  const { exitCode, stderr } = Bun.spawnSync(command);
  if (exitCode !== 0) throw new Error(`${command.join(" ")}: ${stderr}`);
}

function hostMounts(): readonly string[] {
  return readFileSync("/proc/self/mountinfo", "utf8").split("\n");
}

function withLinux(linux: Partial<NonNullable<Config["linux"]>>, change: Partial<Config> = {}): Config {
  const config = makeConfig(change);
  return { ...config, linux: { ...config.linux, ...linux } } as Config;
}

describe("propagation", () => {
  for (const [wanted, pattern] of [
    [undefined, /^$/],
    ["shared", /^shared:\d+$/],
    ["rshared", /^shared:\d+$/],
    ["slave", /^master:\d+$/],
    ["rslave", /^(master:\d+)?$/],
    ["private", /^$/],
    ["rprivate", /^$/],
    ["unbindable", /^unbindable$/],
    ["runbindable", /^unbindable$/],
  ] as const) {
    test(`rootfsPropagation ${wanted}: the root has it, and no mount reaches the shared host`, () => {
      const before = hostMounts();
      const mounts = [PROC, DEV, { destination: "/sub/inner", type: "tmpfs", source: "t" }];
      const config = withLinux(
        { rootfsPropagation: wanted, maskedPaths: ["/proc/keys", "/proc/acpi"] },
        { mounts },
      );
      withContainer(bundle, config, (made) => {
        expect(made.line("/").propagation).toMatch(pattern);
        expect(made.line("/sub/inner").fsType).toBe("tmpfs");
        expect(hostMounts()).toEqual(before);
      });
      expect(hostMounts()).toEqual(before);
    });
  }
  test("a mount that the host makes later in the root shows up with slave alone", () => {
    for (const [wanted, expected] of [
      ["slave", true],
      ["private", false],
      ["shared", false],
    ] as const) {
      withContainer(bundle, withLinux({ rootfsPropagation: wanted }), (made) => {
        const later = join(bundle, "rootfs/tmp");
        run("mount", "-t", "tmpfs", "later", later);
        try {
          const seen = readFileSync(`/proc/${made.pid}/mountinfo`, "utf8");
          expect({ wanted, seen: / \/tmp /.test(seen) }).toEqual({ wanted, seen: expected });
        } finally {
          run("umount", later);
        }
      });
    }
  });
});

describe("entering", () => {
  for (const noPivot of [false, true]) {
    test(`the root is the bundle's, and init's directory is in it (no pivot: ${noPivot})`, () => {
      withContainer(
        bundle,
        makeConfig(),
        (made) => {
          expect(statSync(made.path("/etc")).ino).toBe(statSync(join(bundle, "rootfs/etc")).ino);
          expect(statSync(`/proc/${made.pid}/cwd`).ino).toBe(statSync(join(bundle, "rootfs")).ino);
          if (!noPivot) expect(made.lines.map((line) => line.path)).toEqual(["/", "/sub", "/proc", "/dev"]);
        },
        { noPivot },
      );
    });
  }
  test("init keeps no descriptor but its socket", () => {
    const config = withLinux(
      { maskedPaths: ["/proc/acpi", "/proc/keys"], readonlyPaths: ["/proc/sys"] },
      {
        mounts: [
          PROC,
          { ...DEV, options: [...(DEV.options ?? []), "ro"] },
          { destination: "/etc", type: "bind", source: "/etc", options: ["rbind", "ro"] },
        ],
      },
    );
    withContainer(bundle, config, (made) => {
      const fds = Bun.spawnSync(["ls", `/proc/${made.pid}/fd`])
        .stdout.toString()
        .trim()
        .split("\n");
      expect(fds).toHaveLength(4); // 0, 1, 2 and the socket
    });
  });
  test("a bundle that the container's root may not search works in a user namespace", () => {
    const config = withLinux({
      namespaces: (["user", "pid", "mount", "ipc", "uts", "network"] as const).map((type) => ({ type })),
      uidMappings: [{ containerID: 0, hostID: 100000, size: 65536 }],
      gidMappings: [{ containerID: 0, hostID: 100000, size: 65536 }],
    } as Config["linux"] & object);
    chmodSync(bundle, 0o700);
    run("chown", "-R", "100000:100000", join(bundle, "rootfs"));
    try {
      const beforeEnter = (pid: number) => {
        const mounts = readFileSync(`/proc/${pid}/mountinfo`, "utf8");
        expect(mounts).toContain(` ${join(bundle, "rootfs/dev/null")} `); // where hooks look for it
      };
      const look = (made: Made) => {
        expect(made.line("/dev").fsType).toBe("tmpfs");
        expect(made.line("/dev/null").root).toBe("/null");
        expect(statSync(made.path("/dev/null")).rdev).toBe(statSync("/dev/null").rdev);
      };
      withContainer(bundle, config, look, { beforeEnter });
    } finally {
      chmodSync(bundle, 0o755);
      run("chown", "-R", "0:0", join(bundle, "rootfs"));
    }
  });
});

describe("read-only", () => {
  test("root.readonly is for the root alone and keeps its flags", () => {
    run("mount", "-o", "remount,bind,nosuid,nodev", join(bundle, "rootfs"));
    withContainer(bundle, makeConfig({ root: { path: "rootfs", readonly: true } }), (made) => {
      expect(made.line("/").options).toEqual(expect.arrayContaining(["ro", "nosuid", "nodev"]));
      expect(made.line("/").superOptions).toContain("rw");
      expect(made.line("/dev").options).toContain("rw");
    });
    run("mount", "-o", "remount,bind,suid,dev", join(bundle, "rootfs"));
  });
  test("a read-only /dev has its devices, a read-only tmpfs what is mounted in it", () => {
    const mounts = [
      PROC,
      { ...DEV, options: ["nosuid", "ro"] },
      { destination: "/tmp", type: "tmpfs", source: "t", options: ["ro"] },
      { destination: "/tmp/deep/file", type: "bind", source: "/etc/hostname", options: ["bind"] },
    ];
    withContainer(bundle, makeConfig({ mounts }), (made) => {
      expect(made.line("/dev").options).toContain("ro");
      expect(made.line("/tmp").options).toContain("ro");
      expect(made.line("/tmp/deep/file").root).toBe("/etc/hostname");
      expect(lstatSync(made.path("/dev/null")).isCharacterDevice()).toBe(true);
    });
  });
});

describe("process.cwd", () => {
  const at = (cwd: string) =>
    makeConfig({ process: { args: ["sh"], cwd, user: { uid: 0, gid: 0 } } as never });
  test("is made with mode 0755, and in a mount if it lies there", () => {
    withContainer(bundle, at("/tmp/a/b"), (made) => {
      expect(statSync(made.path("/tmp/a/b")).mode & 0o7777).toBe(0o755);
    });
    withContainer(bundle, at("/dev/shm/work"), () => {});
    expect(existsSync(join(bundle, "rootfs/dev/shm"))).toBe(false);
  });
  test("that is a file is an error", () => {
    writeFileSync(join(bundle, "rootfs/etc/file"), "");
    expect(() => withContainer(bundle, at("/etc/file"), () => {})).toThrow(/process\.cwd.*not a directory/);
  });
});
