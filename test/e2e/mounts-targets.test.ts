// Mounts: destinations: their order, links in them, and those in /proc.
import { describe, expect, test } from "bun:test";
import { mkdirSync, readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import type { Config } from "./config.ts";
import { isPeer } from "./harness.ts";
import { runLogged } from "./log.ts";
import { openMountSandbox, parseMountinfo } from "./mounts.ts";

const { box, mount, makeSource } = openMountSandbox("mounts-targets");
const ours = test.skipIf(isPeer);

describe("destinations", () => {
  test("order is the config's: a later mount covers an earlier one", async () => {
    const first = makeSource("first");
    const result = await mount(
      [
        { destination: "/mnt", type: "bind", source: first, options: ["bind"] },
        { destination: "/mnt", type: "tmpfs", source: "t" },
      ],
      undefined,
      ["ls", "/mnt"],
    );
    expect(result.stdout).toBe("");
  });
  test("mountinfo lists the mounts in the config's order", async () => {
    const bind = (name: string): Config["mounts"][number] => ({
      destination: `/${name}`,
      type: "bind",
      source: makeSource(name),
      options: ["bind"],
    });
    const tmpfs = (name: string): Config["mounts"][number] => ({
      destination: `/${name}`,
      type: "tmpfs",
      source: "t",
    });
    const result = await mount([bind("o1"), tmpfs("o2"), bind("o3"), tmpfs("o4"), bind("o5")]);
    const points = parseMountinfo(result.stdout).map((line) => line.point);
    expect(points.filter((point) => /^\/o\d$/.test(point))).toEqual(["/o1", "/o2", "/o3", "/o4", "/o5"]);
  });
  ours("a bind mount ignores options of a new tmpfs, and is warned about", async () => {
    const log = join(box.directory, "tmpfs-options.log");
    const options = ["bind", "ro", "mode=755", "size=1k"];
    const bundle = box.bundle(["cat", "/proc/self/mountinfo"], (config) => {
      config.mounts.push({ destination: "/mnt", source: "/etc", options });
    });
    const { stdout } = await box.ok(["--log", log, "run", "--bundle", bundle.directory, box.id()]);
    expect(parseMountinfo(stdout).find((l) => l.point === "/mnt")).toMatchObject({ root: "/etc" });
    expect(readFileSync(log, "utf8")).toContain(
      `]: a bind mount ignores \\"mode=755,size=1k\\": options of a new tmpfs`,
    );
  });
  ours("a relative one counts from / and is warned about", async () => {
    const bundle = box.bundle(["cat", "/proc/self/mountinfo"], (config) => {
      config.mounts.push({ destination: "relative/dir", type: "tmpfs", source: "t" });
    });
    const result = await runLogged(box, bundle);
    expect(result.status).toBe(0);
    expect(parseMountinfo(result.stdout).some((l) => l.point === "/relative/dir")).toBe(true);
    expect(result.log).toContainEqual(
      expect.objectContaining({ level: "warning", msg: expect.stringContaining("relative") }),
    );
  });
  test("a symbolic link in it is followed inside the rootfs", async () => {
    const result = await mount([{ destination: "/link/dir", type: "tmpfs", source: "t" }], (bundle) => {
      mkdirSync(join(bundle.rootfs, "real"));
      symlinkSync("/real", join(bundle.rootfs, "link"));
    });
    expect(result.lines.some((l) => l.point === "/real/dir")).toBe(true);
  });
  for (const destination of [
    "/proc/sys",
    "/proc/self",
    "/proc/1",
    "/proc/sysrq-trigger",
    "/proc/self/attr/exec",
    "/proc/../proc/sys",
  ]) {
    test.skipIf(isPeer && /sys$/.test(destination))(`${destination} is refused`, async () => {
      const result = await mount([{ destination, type: "tmpfs", source: "t" }]);
      expect(result.status).toBe(1);
      expect(result.stderr).toMatch(/proc/);
    });
  }
  ours("a tmpfs or a directory on /proc itself is refused", async () => {
    for (const entry of [
      { destination: "/proc", type: "tmpfs", source: "t" },
      { destination: "/proc", type: "bind", source: makeSource("fake-proc"), options: ["bind"] },
    ]) {
      const result = await mount([entry]);
      expect(result.status).toBe(1);
      expect(result.stderr).toMatch(/\/proc/);
    }
  });
  for (const name of ["cpuinfo", "diskstats", "meminfo", "stat", "swaps", "uptime", "loadavg"]) {
    test(`/proc/${name} may be replaced by a file, as lxcfs does`, async () => {
      const source = join(makeSource("lxcfs"), "file");
      const result = await mount(
        [{ destination: `/proc/${name}`, type: "bind", source, options: ["bind"] }],
        undefined,
        ["cat", `/proc/${name}`],
      );
      expect(result.stdout).toBe("from the host\n");
    });
  }
  ours("the host's procfs may be bound on /proc", async () => {
    const bundle = box.bundle(["sh", "-c", "test -e /proc/self && echo there"], (config) => {
      config.mounts[0] = { destination: "/proc", type: "bind", source: "/proc", options: ["rbind"] };
      config.linux.namespaces = config.linux.namespaces.filter((n) => n.type !== "pid");
      config.linux.maskedPaths = [];
      config.linux.readonlyPaths = [];
    });
    const result = await box.run(["run", "--bundle", bundle.directory, box.id()]);
    expect(result.stdout).toBe("there\n");
  });
});
