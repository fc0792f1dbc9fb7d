import { describe, expect, test } from "bun:test";
import { MOUNT_ATTR, MS } from "../../../src/linux/mount-flags.ts";
import { listMountOptions } from "../../../src/linux/mount-option-table.ts";
import { mergeAttributes, parseMountOptions, toMountFlags } from "../../../src/linux/mount-options.ts";

const { MOUNT_ATTR_RDONLY: RO, MOUNT_ATTR_NOSUID: NOSUID, MOUNT_ATTR_NOEXEC: NOEXEC } = MOUNT_ATTR;
const { MOUNT_ATTR__ATIME: ATIME, MOUNT_ATTR_NOATIME: NOATIME, MOUNT_ATTR_STRICTATIME: STRICT } = MOUNT_ATTR;

describe("the list for `features`", () => {
  test("is config.md's and runc's, idmap and ridmap among them, sorted", () => {
    const expected =
      "async atime bind defaults dev diratime dirsync exec idmap iversion lazytime loud mand noatime nodev nodiratime noexec " +
      "noiversion nolazytime nomand norelatime nostrictatime nosuid nosymfollow private ratime rbind rdev rdiratime " +
      "relatime remount rexec ridmap rnoatime rnodev rnodiratime rnoexec rnorelatime rnostrictatime rnosuid rnosymfollow ro " +
      "rprivate rrelatime rro rrw rshared rslave rstrictatime rsuid rsymfollow runbindable rw shared silent slave " +
      "strictatime suid symfollow sync tmpcopyup unbindable";
    expect(listMountOptions()).toEqual(expected.split(" "));
  });
});

describe("attributes", () => {
  for (const [options, set, clear] of [
    [[], 0, 0],
    [["defaults"], 0, 0],
    [["ro", "nosuid"], RO | NOSUID, 0],
    [["ro", "rw"], 0, RO],
    [["rw", "ro"], RO, 0],
    [["suid", "exec"], 0, NOSUID | NOEXEC],
    [["noatime"], NOATIME, ATIME],
    [["noatime", "relatime"], 0, ATIME],
    [["relatime", "strictatime"], STRICT, ATIME],
    [["noatime", "atime"], 0, ATIME],
    [["atime"], 0, ATIME],
    [["strictatime", "atime"], STRICT, ATIME],
    [["norelatime"], 0, 0],
    [["relatime", "norelatime"], 0, 0],
    [["noatime", "norelatime"], NOATIME, ATIME],
    [["nostrictatime"], 0, ATIME],
  ] as const)
    test(`${options.join(",") || "none"}: the later of two contrary options holds`, () => {
      expect(parseMountOptions(options).attributes).toEqual({ set, clear });
      const recursive = options.map((option) => (option === "defaults" ? option : `r${option}`));
      const parsed = parseMountOptions(recursive);
      expect(parsed.recursiveAttributes).toEqual({ set, clear });
      expect(parsed.attributes).toEqual({ set: 0, clear: 0 });
    });
  test("both kinds together, for a mount that has nothing below it", () => {
    expect(mergeAttributes(parseMountOptions(["ro", "nosuid", "rrw", "rnoexec"]))).toBe(NOSUID | NOEXEC);
  });
});

test("flags of the superblock are not those of the mount", () => {
  const parsed = parseMountOptions([
    "sync",
    "dirsync",
    "async",
    "lazytime",
    "mand",
    "iversion",
    "nomand",
    "silent",
  ]);
  expect([...parsed.superblock].sort()).toEqual(["dirsync", "iversion", "lazytime", "silent"]);
  expect(parsed.attributes).toEqual({ set: 0, clear: 0 });
});

test("propagations keep their order", () => {
  expect(parseMountOptions(["rslave", "shared"]).propagations).toEqual([
    { name: "rslave", flag: "MS_SLAVE", recursive: true },
    { name: "shared", flag: "MS_SHARED", recursive: false },
  ]);
});

test("bind, rbind, remount, tmpcopyup", () => {
  expect(parseMountOptions(["bind"]).bind).toBe("shallow");
  expect(parseMountOptions(["bind", "rbind", "bind"]).bind).toBe("recursive");
  expect(parseMountOptions(["ro"]).bind).toBeUndefined();
  expect(parseMountOptions(["remount"]).remount).toBe(true);
  expect(parseMountOptions(["tmpcopyup"]).tmpcopyup).toBe(true);
});

test("everything else is data, split at commas outside quotes", () => {
  expect(parseMountOptions(["size=64k", "mode=0755,uid=1", 'context="a,b",x', "", "RO", "acl"]).data).toEqual(
    ["size=64k", "mode=0755", "uid=1", "context=a,b", "x", "RO", "acl"],
  );
});

test("mount(2) gets the same", () => {
  const parsed = parseMountOptions([
    "ro",
    "nosuid",
    "nodiratime",
    "strictatime",
    "nosymfollow",
    "sync",
    "iversion",
  ]);
  expect(toMountFlags(mergeAttributes(parsed), parsed.superblock)).toBe(
    MS.MS_RDONLY |
      MS.MS_NOSUID |
      MS.MS_NODIRATIME |
      MS.MS_STRICTATIME |
      MS.MS_NOSYMFOLLOW |
      MS.MS_SYNCHRONOUS |
      MS.MS_I_VERSION,
  );
});
