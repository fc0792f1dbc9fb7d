import { describe, expect, test } from "bun:test";
import { detectCgroupLayout } from "../../../src/cgroup/layout.ts";
import { listCgroupMounts } from "../../../src/cgroup/mounts.ts";
import { planCgroup } from "../../../src/cgroup/plan.ts";
import type { CgroupLayout, CgroupRecord } from "../../../src/cgroup/types.ts";
import { hybrid, nested, none, v1, v2 } from "./hosts.ts";

const place = (layout: CgroupLayout, cgroupsPath?: string): CgroupRecord["paths"] =>
  planCgroup(layout, { id: "web", cgroupsPath }).record.paths;

describe("the layout of a host", () => {
  test("hybrid: each v1 controller, and cgroup2 beside them", () => {
    expect(hybrid.mode).toBe("hybrid");
    expect([...hybrid.controllers.keys()].sort()).toEqual(
      ["cpu", "cpuacct", "cpuset", "devices", "freezer", "memory", "name=systemd", "pids"].sort(),
    );
    expect(hybrid.controllers.get("memory")).toEqual({
      mountPoint: "/sys/fs/cgroup/memory",
      root: "/",
      own: "/shop/floor",
    });
    expect(hybrid.unified).toEqual({ mountPoint: "/sys/fs/cgroup/unified", root: "/", own: "/" });
  });

  test("v1, v2 and none", () => {
    expect(v1.mode).toBe("v1");
    expect(v1.unified).toBeUndefined();
    expect(v2.mode).toBe("v2");
    expect(v2.controllers.size).toBe(0);
    expect(none.mode).toBe("none");
  });

  test("a mount on top decides, and escapes are decoded", () => {
    const layout = detectCgroupLayout(
      [
        "31 23 0:28 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw",
        "32 31 0:29 / /sys/fs/cgroup rw - tmpfs tmpfs rw",
        "33 32 0:30 /a\\040b /mnt/dev\\134x rw - cgroup cgroup rw,devices",
      ].join("\n"),
      "1:devices:/a b/c\n",
    );
    expect(layout.mode).toBe("v1");
    expect(layout.controllers.get("devices")).toEqual({
      mountPoint: "/mnt/dev\\x",
      root: "/a b",
      own: "/a b/c",
    });
  });

  test("of several mounts of a hierarchy the one below /sys/fs/cgroup counts", () => {
    const layout = detectCgroupLayout(
      [
        "33 32 0:30 / /mnt/devices rw - cgroup cgroup rw,devices",
        "34 32 0:30 / /sys/fs/cgroup/devices rw - cgroup cgroup rw,devices",
        "35 32 0:30 / /sys/fs/cgroup/again rw - cgroup cgroup rw,devices",
      ].join("\n"),
      "1:devices:/\n",
    );
    expect(layout.controllers.get("devices")?.mountPoint).toBe("/sys/fs/cgroup/devices");
  });
});

describe("cgroupsPath", () => {
  test("absolute: from the mount point of each hierarchy", () => {
    const paths = place(hybrid, "/pods/web-1");
    expect(paths.memory).toBe("/sys/fs/cgroup/memory/pods/web-1");
    expect(paths["name=systemd"]).toBe("/sys/fs/cgroup/systemd/pods/web-1");
    expect(paths.unified).toBe("/sys/fs/cgroup/unified/pods/web-1");
    expect(place(v2, "/pods/web-1")).toEqual({ unified: "/sys/fs/cgroup/pods/web-1" });
  });

  test("relative: from this process's cgroup on v1, from its parent on v2", () => {
    expect(place(hybrid, "pods/web").memory).toBe("/sys/fs/cgroup/memory/shop/floor/pods/web");
    expect(place(hybrid, "pods/web").cpu).toBe("/sys/fs/cgroup/cpu/pods/web");
    expect(place(hybrid, "pods/web").unified).toBe("/sys/fs/cgroup/unified/pods/web");
    expect(place(v2, "pods/web").unified).toBe("/sys/fs/cgroup/user.slice/pods/web");
  });

  for (const absent of [undefined, "", ".", "a/.."]) {
    test(`${JSON.stringify(absent)}: the id, relative`, () => {
      expect(place(hybrid, absent).memory).toBe("/sys/fs/cgroup/memory/shop/floor/web");
      expect(place(v2, absent).unified).toBe("/sys/fs/cgroup/user.slice/web");
    });
  }

  test("cannot climb out", () => {
    expect(place(v2, "../../evil").unified).toBe("/sys/fs/cgroup/user.slice/evil");
    expect(place(v2, "/../../evil").unified).toBe("/sys/fs/cgroup/evil");
    expect(place(v2, "/a//b/./c/").unified).toBe("/sys/fs/cgroup/a/b/c");
    expect(place(hybrid, "../../../evil").memory).toBe("/sys/fs/cgroup/memory/shop/floor/evil");
  });

  test("the root itself is refused", () => {
    for (const path of ["/", "/..", "/a/.."]) {
      expect(() => place(hybrid, path)).toThrow(
        `linux.cgroupsPath: ${JSON.stringify(path)} is the root of the cgroup hierarchy`,
      );
    }
    expect(() => planCgroup(v2, { id: ".." })).toThrow("is the root of the cgroup hierarchy");
  });

  test("within a container the mount shows a part of the hierarchy", () => {
    expect(place(nested, "/x")).toEqual({
      devices: "/sys/fs/cgroup/devices/x",
      memory: "/sys/fs/cgroup/memory/x",
    });
    expect(place(nested, "x")).toEqual({
      devices: "/sys/fs/cgroup/devices/below/x",
      memory: "/sys/fs/cgroup/memory/x",
    });
    const outside = detectCgroupLayout(
      "29 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
      "0::/../../elsewhere\n",
    );
    expect(place(outside, "x").unified).toBe("/sys/fs/cgroup/x");
  });

  test("hosts that cannot hold a container", () => {
    expect(() => place(none)).toThrow("no cgroup mount found in mountinfo");
    const bare = detectCgroupLayout(
      "1 1 0:1 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory",
      "1:memory:/",
    );
    expect(() => place(bare)).toThrow("linux.resources.devices: the devices controller is not mounted");
  });
});

describe("the hierarchies", () => {
  test("controllers that are mounted together share a directory, made once", () => {
    const plan = planCgroup(v1, { id: "web", cgroupsPath: "/c" });
    expect(plan.record.paths.cpu).toBe("/sys/fs/cgroup/cpu,cpuacct/c");
    expect(plan.record.paths.cpuacct).toBe("/sys/fs/cgroup/cpu,cpuacct/c");
    const shared = plan.directories.filter((d) => d.path === "/sys/fs/cgroup/cpu,cpuacct/c");
    expect(shared).toEqual([
      {
        hierarchies: ["cpu", "cpuacct"],
        mountPoint: "/sys/fs/cgroup/cpu,cpuacct",
        path: "/sys/fs/cgroup/cpu,cpuacct/c",
      },
    ]);
  });

  test("another service manager's hierarchy is not joined", () => {
    expect(Object.keys(place(v1, "/c"))).toContain("name=systemd");
    expect(Object.keys(place(v1, "/c"))).not.toContain("name=openrc");
  });

  test("the record is plain JSON", () => {
    const { record } = planCgroup(hybrid, { id: "web" });
    expect(JSON.parse(JSON.stringify(record))).toEqual(record);
  });
});

describe("mounts of type cgroup", () => {
  test("v1: one for each hierarchy, links for each controller of a shared one", () => {
    const { record } = planCgroup(v1, { id: "web", cgroupsPath: "/c" });
    const { unified, hierarchies, links } = listCgroupMounts(v1, record);
    expect(unified).toBeUndefined();
    expect(hierarchies).toContainEqual({ source: "/sys/fs/cgroup/cpu,cpuacct/c", name: "cpu,cpuacct" });
    expect(hierarchies).toContainEqual({ source: "/sys/fs/cgroup/systemd/c", name: "systemd" });
    expect(hierarchies.map((h) => h.name)).not.toContain("openrc");
    expect(links).toContainEqual({ name: "cpu", target: "cpu,cpuacct" });
    expect(links).toContainEqual({ name: "net_prio", target: "net_cls,net_prio" });
    expect(links.length).toBe(4);
  });

  test("hybrid: the v1 hierarchies only", () => {
    const { record } = planCgroup(hybrid, { id: "web", cgroupsPath: "/c" });
    const { unified, hierarchies, links } = listCgroupMounts(hybrid, record);
    expect(unified).toBeUndefined();
    expect(hierarchies.length).toBe(8);
    expect(links).toEqual([]);
  });

  test("v2: the one directory", () => {
    const { record } = planCgroup(v2, { id: "web", cgroupsPath: "/c" });
    expect(listCgroupMounts(v2, record)).toEqual({
      unified: "/sys/fs/cgroup/c",
      hierarchies: [],
      links: [],
    });
  });
});
