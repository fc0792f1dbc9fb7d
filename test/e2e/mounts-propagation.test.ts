// Mounts: recursive attributes, and propagation.
import { describe, expect, test } from "bun:test";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { isPeer } from "./harness.ts";
import { listMounts } from "./leftovers.ts";
import { findLine, openMountSandbox, parseMountinfo } from "./mounts.ts";

const { box, mount, withSubmount } = openMountSandbox("mounts-propagation");

describe("recursive attributes", () => {
  const cases: [string, string, boolean][] = [
    ["rro", "ro", true],
    ["rrw", "rw", true],
    ["rnosuid", "nosuid", true],
    ["rnodev", "nodev", true],
    ["rnoexec", "noexec", true],
    ["rnoatime", "noatime", true],
    ["rnodiratime", "nodiratime", true],
    ["rrelatime", "relatime", true],
    ["rstrictatime", "relatime", false],
    ["rnosymfollow", "nosymfollow", true],
    ["rsuid", "nosuid", false],
    ["rdev", "nodev", false],
    ["rexec", "noexec", false],
    ["rdiratime", "nodiratime", false],
    ["ratime", "noatime", false],
    ["rsymfollow", "nosymfollow", false],
  ];
  for (const [option, shown, present] of cases) {
    test.skipIf(isPeer && /symfollow|^ratime/.test(option))(
      `${option} holds for the whole tree`,
      async () => {
        await withSubmount(
          `r-${option}`,
          present ? "size=64k" : "nosuid,nodev,noexec,nodiratime,size=64k",
          async (source) => {
            const result = await mount([
              { destination: "/mnt", type: "bind", source, options: ["rbind", option] },
            ]);
            for (const point of ["/mnt", "/mnt/below"])
              expect({ point, present: findLine(result, point).options.includes(shown) }).toEqual({
                point,
                present,
              });
          },
        );
      },
    );
  }
  test("rro holds against a write below", async () => {
    await withSubmount("rro-write", "size=64k", async (source) => {
      const result = await mount(
        [{ destination: "/mnt", type: "bind", source, options: ["rbind", "rro"] }],
        undefined,
        ["sh", "-c", "echo x >/mnt/below/new"],
      );
      expect(result.stderr).toMatch("Read-only file system");
    });
  });
  test("and the source itself is untouched", async () => {
    await withSubmount("untouched", "size=64k", async (source) => {
      const before = listMounts([source]);
      await mount([
        { destination: "/mnt", type: "bind", source, options: ["rbind", "rro", "rnoexec", "rslave"] },
      ]);
      expect(listMounts([source])).toEqual(before);
    });
  });
});

describe("propagation", () => {
  for (const [option, pattern] of [
    ["shared", /^shared:\d+$/],
    ["rshared", /^shared:\d+$/],
    ["private", /^$/],
    ["rprivate", /^$/],
    ["unbindable", /^unbindable$/],
    ["runbindable", /^unbindable$/],
  ] as const) {
    test(option, async () => {
      const line = findLine(
        await mount([{ destination: "/mnt", type: "tmpfs", source: "t", options: [option] }]),
        "/mnt",
      );
      expect(line.tags).toMatch(pattern);
    });
  }
  for (const option of ["slave", "rslave"])
    test(`${option} of a shared source`, async () => {
      await withSubmount(`source-${option}`, "size=64k", async (source) => {
        const below = join(source, "below");
        Bun.spawnSync(["mount", "--make-shared", below]);
        const line = findLine(
          await mount([{ destination: "/mnt", type: "bind", source: below, options: ["rbind", option] }]),
          "/mnt",
        );
        expect(line.tags).toMatch(/^master:\d+/);
      });
    });
  test("a mount made by the host in an rslave source shows up inside", async () => {
    await withSubmount("live", "size=64k", async (source) => {
      const below = join(source, "below");
      Bun.spawnSync(["mount", "--make-shared", below]);
      mkdirSync(join(below, "later"));
      const id = box.id();
      const bundle = box.bundle(["sleep", "100"], (config) => {
        config.mounts.push({
          destination: "/mnt",
          type: "bind",
          source: below,
          options: ["rbind", "rslave"],
        });
        config.linux.rootfsPropagation = "rslave";
      });
      await box.ok(["run", "-d", "--bundle", bundle.directory, id]);
      Bun.spawnSync(["mount", "-t", "tmpfs", "tmpfs", join(below, "later")]);
      const inside = await box.ok(["exec", id, "cat", "/proc/self/mountinfo"]);
      expect(parseMountinfo(inside.stdout).some((l) => l.point === "/mnt/later")).toBe(true);
      Bun.spawnSync(["umount", join(below, "later")]);
      await box.ok(["delete", "--force", id]);
    });
  });
  test("a private source's mounts stay where they are", async () => {
    const before = readFileSync("/proc/self/mountinfo", "utf8").split("\n").length;
    const id = box.id();
    await box.ok(["create", "--bundle", box.bundle(["true"]).directory, id]);
    expect(
      readFileSync("/proc/self/mountinfo", "utf8")
        .split("\n")
        .filter((l) => l.includes(box.directory)),
    ).toEqual([]);
    expect(before).toBeGreaterThan(0);
    await box.ok(["delete", "--force", id]);
  });
});
