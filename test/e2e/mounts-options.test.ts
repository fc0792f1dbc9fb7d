// Mounts: every option of config.md's table, and what is refused.
import { describe, expect, test } from "bun:test";
import { isPeer } from "./harness.ts";
import { findLine, openMountSandbox } from "./mounts.ts";

const { mount, makeSource } = openMountSandbox("mounts-options");
const ours = test.skipIf(isPeer);

describe("per-mount flags", () => {
  const cases: [string, string, boolean][] = [
    ["ro", "ro", true],
    ["rw", "rw", true],
    ["nosuid", "nosuid", true],
    ["nodev", "nodev", true],
    ["noexec", "noexec", true],
    ["noatime", "noatime", true],
    ["nodiratime", "nodiratime", true],
    ["relatime", "relatime", true],
    ["strictatime", "relatime", false],
    ["strictatime", "noatime", false],
    ["nosymfollow", "nosymfollow", true],
    ["suid", "nosuid", false],
    ["dev", "nodev", false],
    ["exec", "noexec", false],
    ["norelatime", "ro", false],
    ["defaults", "ro", false],
  ];
  for (const type of ["tmpfs", "bind"]) {
    for (const [option, shown, present] of cases) {
      // Debian's runc takes nosymfollow (and, on a tmpfs, defaults) for data of the file system.
      test.skipIf(isPeer && /nosymfollow|defaults/.test(option))(`${option} on a ${type} mount`, async () => {
        const options = type === "bind" ? ["bind", option] : [option];
        const source = type === "bind" ? makeSource("flags") : "tmpfs";
        const line = findLine(await mount([{ destination: "/mnt", type, source, options }]), "/mnt");
        expect(line.options.includes(shown)).toBe(present);
      });
    }
  }
  ours("later options win over earlier ones", async () => {
    const line = findLine(
      await mount([
        {
          destination: "/mnt",
          type: "tmpfs",
          source: "t",
          options: ["ro", "nosuid", "rw", "suid", "noexec"],
        },
      ]),
      "/mnt",
    );
    expect(line.options).toContain("rw");
    expect(line.options).toContain("noexec");
    expect(line.options).not.toContain("nosuid");
  });
  test("flags of the file system: sync, dirsync", async () => {
    const line = findLine(
      await mount([{ destination: "/mnt", type: "tmpfs", source: "t", options: ["sync", "dirsync"] }]),
      "/mnt",
    );
    expect(line.superOptions).toContain("sync");
    expect(line.superOptions).toContain("dirsync");
  });
  for (const option of [
    "async",
    "mand",
    "nomand",
    "lazytime",
    "nolazytime",
    "iversion",
    "noiversion",
    "silent",
    "loud",
    "diratime",
    "atime",
    "nostrictatime",
  ])
    test.skipIf(isPeer && /lazytime|silent|loud/.test(option))(
      `${option} is known, not passed on as data`,
      async () => {
        const result = await mount([{ destination: "/mnt", type: "tmpfs", source: "t", options: [option] }]);
        expect(result.stderr).toBe("");
        expect(result.status).toBe(0);
      },
    );
  test("anything else is data for the file system", async () => {
    const line = findLine(
      await mount([
        {
          destination: "/mnt",
          type: "tmpfs",
          source: "t",
          options: ["size=64k", "mode=700", "nr_inodes=50"],
        },
      ]),
      "/mnt",
    );
    expect(line.superOptions).toEqual(expect.arrayContaining(["size=64k", "mode=700", "nr_inodes=50"]));
  });
  for (const option of ["bogus=1", "rsync", "rmand", "copy-symlink", "src-nofollow", "dest-nofollow"])
    ours(`anything else, such as ${option}, is refused on a bind mount`, async () => {
      const result = await mount([
        { destination: "/mnt", type: "bind", source: makeSource("data"), options: ["bind", option] },
      ]);
      expect(result.status).toBe(1);
      expect(result.stderr).toContain(option);
    });
  test("data that the file system does not know is an error that names the mount", async () => {
    const result = await mount([{ destination: "/mnt", type: "tmpfs", source: "t", options: ["bogus=1"] }]);
    expect(result.status).toBe(1);
    expect(result.stderr).toMatch("/mnt");
    if (!isPeer) expect(result.stderr).toMatch(/mounts\[6\]/);
  });
  test("a type that the kernel does not know", async () => {
    const result = await mount([{ destination: "/mnt", type: "bogusfs", source: "t" }]);
    expect(result.status).toBe(1);
    expect(result.stderr).toMatch("no such device");
  });
});
