// mounts[], made for real by init. What a user sees of each option is in the end-to-end tests; here are the cases that
// need a hostile root file system, a moment in between, or a look from outside: /dev, and cgroup on version 1.
import { describe, expect, test } from "bun:test";
import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { keepBundle } from "./bundle.ts";
import { DEV, makeConfig, PROC, withContainer } from "./container.ts";

const { bundle, inRootfs, makeOutside } = keepBundle();

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
