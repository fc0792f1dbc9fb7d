import { describe, expect, test } from "bun:test";
import { findCgroupOwner } from "../../../src/cgroup/ownership.ts";
import { planCgroup } from "../../../src/cgroup/plan.ts";
import type { Config } from "../../../src/spec/config-schema.ts";
import { hybrid, v2 } from "./hosts.ts";

const cgroups = {
  destination: "/sys/fs/cgroup",
  type: "cgroup",
  source: "cgroup",
  options: ["rw", "nosuid"],
};

function owner(change: { mount?: object; namespaces?: object[]; uid?: number } = {}): number | undefined {
  return findCgroupOwner({
    ociVersion: "1.3.0",
    root: { path: "r" },
    process: { cwd: "/", user: { uid: change.uid ?? 0, gid: 0 } },
    mounts: [{ ...cgroups, ...change.mount }],
    linux: {
      namespaces: change.namespaces ?? [{ type: "cgroup" }, { type: "user" }],
      uidMappings: [
        { containerID: 0, hostID: 100000, size: 10 },
        { containerID: 10, hostID: 5000, size: 5 },
      ],
    },
  } as unknown as Config);
}

describe("the owner of the cgroup", () => {
  test("is the process's user, on the host", () => {
    expect(owner()).toBe(100000);
    expect(owner({ uid: 12 })).toBe(5002);
    expect(owner({ uid: 1000, namespaces: [{ type: "cgroup" }] })).toBe(1000);
    expect(owner({ mount: { destination: "/sys/fs/cgroup/" } })).toBe(100000);
  });
  test("does not change without a writable mount and a namespace of its own", () => {
    expect(owner({ mount: { options: ["ro"] } })).toBeUndefined();
    expect(owner({ mount: { source: "tmpfs" } })).toBeUndefined();
    expect(owner({ mount: { destination: "/cgroup" } })).toBeUndefined();
    expect(owner({ namespaces: [{ type: "user" }] })).toBeUndefined();
    expect(owner({ namespaces: [{ type: "cgroup", path: "/x" }] })).toBeUndefined();
    expect(owner({ uid: 99 })).toBeUndefined();
  });
  test("is asked for on v2 only", () => {
    expect(planCgroup(v2, { id: "a", ownerUid: 5 }).ownerUid).toBe(5);
    expect(planCgroup(hybrid, { id: "a", ownerUid: 5 }).ownerUid).toBeUndefined();
  });
});
