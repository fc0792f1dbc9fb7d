// Masked paths, read-only paths and kernel parameters, made for real by init.
import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import type { Config, Linux } from "../../src/spec/config.ts";
import { DEV, type Made, makeBundle, makeConfig, PROC, removeBundle, withContainer } from "./container.ts";

let bundle = makeBundle();
beforeEach(() => {
  removeBundle(bundle);
  bundle = makeBundle();
});
afterAll(() => removeBundle(bundle));

const inRootfs = (path: string) => join(bundle, "rootfs", path);

function make<T>(linux: Partial<Linux>, look: (made: Made) => T, change: Partial<Config> = {}): T {
  const config = makeConfig(change);
  return withContainer(bundle, { ...config, linux: { ...config.linux, ...linux } } as Config, look);
}

describe("masked paths", () => {
  test("files read as empty, directories as empty, read-only and full; one file system for all of them", () => {
    for (const name of ["one", "two", "three"]) {
      mkdirSync(inRootfs(`secret/${name}`), { recursive: true });
      writeFileSync(inRootfs(`secret/${name}/file`), "secret");
    }
    writeFileSync(inRootfs("secret/file"), "secret");
    const maskedPaths = [
      "/absent",
      "/secret/one",
      "/secret/file",
      "/secret/two/",
      "/absent/too",
      "/secret/three",
    ];
    make({ maskedPaths }, (made) => {
      expect(statSync(made.path("/secret/file")).rdev).toBe(statSync("/dev/null").rdev);
      const devices = ["one", "two", "three"].map((name) => {
        expect(readdirSync(made.path(`/secret/${name}`))).toEqual([]);
        expect(() => writeFileSync(made.path(`/secret/${name}/new`), "")).toThrow("read-only file system");
        expect(made.line(`/secret/${name}`).superOptions).toContain("ro");
        return statSync(made.path(`/secret/${name}`)).dev;
      });
      expect(new Set(devices).size).toBe(1);
    });
  });
  test("before Linux 6.15, where a mount must be attached to be copied", () => {
    for (const name of ["one", "two"]) mkdirSync(inRootfs(`secret/${name}`), { recursive: true });
    let copies = 0;
    const config = makeConfig();
    const maskedPaths = ["/secret/one", "/secret/two"];
    withContainer(
      bundle,
      { ...config, linux: { ...config.linux, maskedPaths } },
      (made) => {
        const devices = ["one", "two"].map((name) => statSync(made.path(`/secret/${name}`)).dev);
        expect(devices[0]).toBe(devices[1] as number);
        expect(made.line("/secret/one").fsType).toBe("tmpfs");
      },
      {
        injectFailure: (step) => {
          const isCopy = step.lane === "init" && step.call === "open_tree" && step.name === "copy";
          return isCopy && copies++ === 0 ? 22 /* EINVAL */ : undefined;
        },
      },
    );
    expect(copies).toBe(2);
  });
  test("a path given twice is masked once, and a file below a masked directory is absent", () => {
    mkdirSync(inRootfs("secret"));
    writeFileSync(inRootfs("secret/file"), "");
    make({ maskedPaths: ["/secret", "/secret/.", "/secret/file"] }, (made) => {
      expect(made.lines.filter((line) => line.path.startsWith("/secret"))).toHaveLength(1);
    });
  });
  test("a link is followed within the root, up and down", () => {
    mkdirSync(inRootfs("var"));
    mkdirSync(inRootfs("run/secret"), { recursive: true });
    mkdirSync(inRootfs("run/other"), { recursive: true });
    symlinkSync("../../../run", inRootfs("var/run"));
    make({ maskedPaths: ["/var/run/secret", "/var/run/other"] }, (made) => {
      expect(made.line("/run/secret").fsType).toBe("tmpfs");
      expect(made.line("/run/other").fsType).toBe("tmpfs");
    });
  });
  for (const [title, replace] of [
    ["a link to a file of procfs", (path: string) => symlinkSync("/proc/sys/kernel/core_pattern", path)],
    ["a dangling link", (path: string) => symlinkSync("/nowhere", path)],
    ["a regular file", (path: string) => writeFileSync(path, "")],
    ["a fifo", (path: string) => Bun.spawnSync(["mkfifo", path])],
    ["another device", (path: string) => Bun.spawnSync(["mknod", path, "c", "1", "5"])],
    ["a block device of the same number", (path: string) => Bun.spawnSync(["mknod", path, "b", "1", "3"])],
  ] as const)
    test(`/dev/null that is ${title} masks nothing`, () => {
      const dev = join(bundle, "dev");
      mkdirSync(dev);
      replace(join(dev, "null"));
      const mounts = [PROC, { destination: "/dev", type: "bind", source: "dev", options: ["bind"] }];
      expect(() => make({ maskedPaths: ["/proc/keys"] }, () => {}, { mounts })).toThrow(
        "linux.maskedPaths: /dev/null is not the null device",
      );
    });
  test("in a user namespace too", () => {
    const namespaces = (["user", "pid", "mount", "ipc", "uts", "network"] as const).map((type) => ({ type }));
    const mappings = [{ containerID: 0, hostID: 100000, size: 65536 }];
    Bun.spawnSync(["chown", "-R", "100000:100000", inRootfs("")]);
    make(
      {
        namespaces,
        uidMappings: mappings,
        gidMappings: mappings,
        maskedPaths: ["/proc/keys", "/proc/acpi", "/tmp"],
        readonlyPaths: ["/proc/sys", "/etc"],
        sysctl: { "net.ipv4.ip_forward": "1" },
      },
      (made) => {
        expect(made.line("/proc/keys").root).toBe("/null");
        expect(made.line("/tmp").options).toContain("ro");
        expect(made.line("/proc/sys").options).toContain("ro");
        expect(made.line("/etc").options).toContain("ro");
        expect(readFileSync(made.path("/proc/sys/kernel/ostype"), "utf8")).toBe("Linux\n");
      },
    );
  });
});

describe("read-only paths", () => {
  test("keep the flags of the mount they lie on, and what is mounted below", () => {
    const mounts = [
      PROC,
      DEV,
      { destination: "/tmp", type: "tmpfs", source: "t", options: ["nosuid", "nodev", "noexec", "noatime"] },
      { destination: "/tmp/below", type: "tmpfs", source: "t", options: ["nodev"] },
    ];
    make(
      { readonlyPaths: ["/tmp", "/absent", "/etc"] },
      (made) => {
        expect(made.line("/tmp").options).toEqual(
          expect.arrayContaining(["ro", "nosuid", "nodev", "noexec", "noatime"]),
        );
        expect(made.line("/tmp/below").options).toContain("rw");
        expect(statSync(made.path("/tmp/below")).dev).not.toBe(statSync(made.path("/tmp")).dev);
        expect(made.line("/etc").options).toContain("ro");
        expect(made.line("/").options).toContain("rw");
      },
      { mounts },
    );
  });
  test("a link stays within the root", () => {
    symlinkSync("../../../../etc", inRootfs("link"));
    make({ readonlyPaths: ["/link"] }, (made) => expect(made.line("/etc").options).toContain("ro"));
  });
});

describe("sysctl", () => {
  test("dotted and slashed names, and names with both", () => {
    const sysctl = {
      "net.ipv4.conf.lo.forwarding": "1",
      "net/ipv4/conf/all/rp_filter": "2",
      "kernel.shm_rmid_forced": "1",
    };
    make({ sysctl }, (made) => {
      expect(readFileSync(made.path("/proc/sys/kernel/shm_rmid_forced"), "utf8")).toBeDefined();
      const inside = Bun.spawnSync([
        "nsenter",
        "-t",
        String(made.pid),
        "-n",
        "-i",
        "-m",
        "/bin/busybox",
        "cat",
        "/proc/sys/net/ipv4/conf/lo/forwarding",
        "/proc/sys/net/ipv4/conf/all/rp_filter",
        "/proc/sys/kernel/shm_rmid_forced",
      ]);
      expect(inside.stdout.toString()).toBe("1\n2\n1\n");
    });
  });
  test("does not go through the container's /proc", () => {
    // The image's own /proc, with a file where the parameter would be.
    mkdirSync(inRootfs("proc/sys/net/ipv4"), { recursive: true });
    writeFileSync(inRootfs("proc/sys/net/ipv4/ip_forward"), "trap");
    make({ sysctl: { "net.ipv4.ip_forward": "1" } }, () => {}, { mounts: [DEV] });
    expect(readFileSync(inRootfs("proc/sys/net/ipv4/ip_forward"), "utf8")).toBe("trap");
  });
  test("an unknown one, a refused value, a name that is no path", () => {
    expect(() => make({ sysctl: { "net.ipv4.bogus": "1" } }, () => {})).toThrow(
      /linux\.sysctl\["net\.ipv4\.bogus"\]: set net\.ipv4\.bogus: .*no such file or directory/,
    );
    expect(() => make({ sysctl: { "net.ipv4.ip_forward": "many" } }, () => {})).toThrow("invalid argument");
    expect(() => make({ sysctl: { "net/../kernel/panic": "1" } }, () => {})).toThrow(
      "is no kernel parameter",
    );
  });
});

describe("devices in a bare /dev", () => {
  test("links are made beside those of the image, and ptmx is the container's own", () => {
    rmSync(inRootfs("dev"), { recursive: true });
    mkdirSync(inRootfs("dev"));
    symlinkSync("elsewhere", inRootfs("dev/stdin"));
    writeFileSync(inRootfs("dev/ptmx"), "");
    make(
      {},
      (made) => {
        expect(lstatSync(made.path("/dev/ptmx")).isSymbolicLink()).toBe(true);
        expect(lstatSync(made.path("/dev/fd")).isSymbolicLink()).toBe(true);
      },
      { mounts: [PROC] },
    );
  });
});
