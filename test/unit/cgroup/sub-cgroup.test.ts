// exec --cgroup: below the container's cgroup, and nowhere else.
import { describe, expect, test } from "bun:test";
import { placeSubCgroup } from "../../../src/cgroup/sub-cgroup.ts";
import type { CgroupRecord } from "../../../src/cgroup/types.ts";

const v2: CgroupRecord = { driver: "cgroupfs", mode: "v2", paths: { unified: "/sys/fs/cgroup/pod/ID" } };
const hybrid: CgroupRecord = {
  driver: "cgroupfs",
  mode: "hybrid",
  paths: {
    memory: "/sys/fs/cgroup/memory/ID",
    cpu: "/sys/fs/cgroup/cpu,cpuacct/ID",
    cpuacct: "/sys/fs/cgroup/cpu,cpuacct/ID",
    unified: "/sys/fs/cgroup/unified/ID",
  },
};

describe("v2", () => {
  const good: readonly (readonly [string, string])[] = [
    ["a", "/a"],
    ["/a", "/a"],
    ["a/b/", "/a/b"],
    ["a/../b", "/b"],
    ["./a//b/.", "/a/b"],
    ["/", ""],
    ["", ""],
    ["a/..", ""],
    ["..a", "/..a"],
  ];
  for (const [sub, place] of good)
    test(JSON.stringify(sub), () =>
      expect(placeSubCgroup(v2, [sub]).paths).toEqual({ unified: `/sys/fs/cgroup/pod/ID${place}` }),
    );

  for (const sub of [
    "..",
    "../",
    "/..",
    "../IDx",
    "../ID2/a",
    "/../x",
    "a/../../x",
    "a/../../IDx",
    "../../../../etc",
    "../..",
  ])
    test(`refuses ${sub}`, () =>
      expect(() => placeSubCgroup(v2, [sub])).toThrow(`bad sub cgroup path: ${sub}`));

  test("comes back to the container's own name", () =>
    expect(placeSubCgroup(v2, ["../ID/a"]).paths).toEqual({ unified: "/sys/fs/cgroup/pod/ID/a" }));

  test("has no controllers to choose, nor a second path", () => {
    expect(() => placeSubCgroup(v2, ["cpu:a"])).toThrow("cgroup v2 has one hierarchy");
    expect(() => placeSubCgroup(v2, ["a", "b"])).toThrow(
      "invalid --cgroup argument: a (missing <controller>: prefix)",
    );
  });
});

describe("v1", () => {
  test("a path alone is for every controller, not for the cgroup2 beside them", () =>
    expect(placeSubCgroup(hybrid, ["a"]).paths).toEqual({
      memory: "/sys/fs/cgroup/memory/ID/a",
      cpu: "/sys/fs/cgroup/cpu,cpuacct/ID/a",
      cpuacct: "/sys/fs/cgroup/cpu,cpuacct/ID/a",
      unified: "/sys/fs/cgroup/unified/ID",
    }));

  test("a path by controller; controllers of one hierarchy go together", () => {
    const cpu = {
      ...hybrid.paths,
      cpu: "/sys/fs/cgroup/cpu,cpuacct/ID/a",
      cpuacct: "/sys/fs/cgroup/cpu,cpuacct/ID/a",
    };
    expect(placeSubCgroup(hybrid, ["cpu:a"]).paths).toEqual(cpu);
    expect(placeSubCgroup(hybrid, ["cpu,cpuacct:a"]).paths).toEqual(cpu);
    expect(placeSubCgroup(hybrid, ["cpu:a", "memory:b", "unified:c"]).paths).toEqual({
      ...cpu,
      memory: "/sys/fs/cgroup/memory/ID/b",
      unified: "/sys/fs/cgroup/unified/ID/c",
    });
  });

  const bad: readonly (readonly [readonly string[], string])[] = [
    [["cpu:../IDx"], "bad sub cgroup path: ../IDx"],
    [["cpu:a", "memory:../.."], "bad sub cgroup path: ../.."],
    [[":a"], "invalid --cgroup argument: :a (empty <controller> prefix)"],
    [["cpu,:a"], "(empty <controller> prefix)"],
    [["cpu:a", "cpu:b"], "controller cpu specified multiple times"],
    [["cpu:a", "cpuacct:b"], "cpuacct shares a hierarchy, with another path"],
    [["a", "cpu:b"], "a (missing <controller>: prefix)"],
    [["constructor:a"], "there is no constructor controller"],
  ];
  for (const [args, text] of bad)
    test(`refuses ${args.join(" ")}`, () => expect(() => placeSubCgroup(hybrid, args)).toThrow(text));
});
