// Mounts: types of file systems, and tmpcopyup.
import { describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Config } from "./config.ts";
import { isPeer } from "./harness.ts";
import { findLine, openMountSandbox } from "./mounts.ts";

const { box, mount } = openMountSandbox("mounts-types");

describe("tmpcopyup", () => {
  test("keeps what the image has at the target", async () => {
    const bundle = box.bundle(
      [
        "sh",
        "-c",
        "cat /data/file /data/sub/inner; readlink /data/link; stat -c %a:%u /data /data/sub; echo x >/data/new",
      ],
      (config) => {
        config.mounts.push({ destination: "/data", type: "tmpfs", source: "tmpfs", options: ["tmpcopyup"] });
      },
    );
    mkdirSync(join(bundle.rootfs, "data/sub"), { recursive: true });
    Bun.spawnSync(["chmod", "750", join(bundle.rootfs, "data/sub")]);
    Bun.spawnSync(["chown", "1000", join(bundle.rootfs, "data/sub")]);
    writeFileSync(join(bundle.rootfs, "data/file"), "kept\n");
    writeFileSync(join(bundle.rootfs, "data/sub/inner"), "inner\n");
    symlinkSync("/etc/passwd", join(bundle.rootfs, "data/link"));
    const result = await box.run(["run", "--bundle", bundle.directory, box.id()]);
    expect(result.stderr).toBe("");
    const [file, inner, link, , sub] = result.stdout.split("\n");
    expect([file, inner, link, sub]).toEqual(["kept", "inner", "/etc/passwd", "750:1000"]);
    expect(existsSync(join(bundle.rootfs, "data/new"))).toBe(false);
  });
});

describe("file system types", () => {
  test("a tmpfs keeps the mode of the directory below it", async () => {
    const result = await mount([{ destination: "/tmp", type: "tmpfs", source: "t" }], undefined, [
      "stat",
      "-c",
      "%a",
      "/tmp",
    ]);
    expect(result.stdout).toBe("1777\n");
  });
  test("proc, sysfs, devpts, mqueue", async () => {
    const result = await mount([]);
    for (const [point, type] of [
      ["/proc", "proc"],
      ["/sys", "sysfs"],
      ["/dev/pts", "devpts"],
      ["/dev/mqueue", "mqueue"],
      ["/dev/shm", "tmpfs"],
    ] as const)
      expect(findLine(result, point).type).toBe(type);
    expect(findLine(result, "/sys").options).toEqual(
      expect.arrayContaining(["ro", "nosuid", "nodev", "noexec"]),
    );
  });
  test.skipIf(!existsSync("/sys/fs/cgroup/memory"))(
    "cgroup on a v1 host: a tmpfs with each controller, at the container's own group",
    async () => {
      const result = await mount([
        {
          destination: "/sys/fs/cgroup",
          type: "cgroup",
          source: "cgroup",
          options: ["nosuid", "noexec", "nodev", "relatime", "ro"],
        },
      ]);
      if (!isPeer) expect(findLine(result, "/sys/fs/cgroup").options).toContain("ro");
      const memory = result.lines.find((l) => l.point === "/sys/fs/cgroup/memory");
      expect(memory?.type).toBe("cgroup");
      expect(memory?.options).toContain("ro");
      expect(memory?.root).toBe("/");
    },
  );
  test.skipIf(!existsSync("/sys/fs/cgroup/memory"))(
    "cgroup without a cgroup namespace shows the own group alone",
    async () => {
      const bundle = box.bundle(
        [
          "sh",
          "-c",
          "cat /sys/fs/cgroup/memory/cgroup.procs | wc -l; ls -d /sys/fs/cgroup/memory/process_api 2>/dev/null; true",
        ],
        (config: Config) => {
          config.linux.namespaces = config.linux.namespaces.filter((n) => n.type !== "cgroup");
          config.mounts.push({
            destination: "/sys/fs/cgroup",
            type: "cgroup",
            source: "cgroup",
            options: ["ro"],
          });
        },
      );
      const result = await box.run(["run", "--bundle", bundle.directory, box.id()]);
      expect(result.stderr).toBe("");
      expect(Number(result.stdout.split("\n")[0])).toBeGreaterThan(0);
      expect(Number(result.stdout.split("\n")[0])).toBeLessThan(6);
    },
  );
});
