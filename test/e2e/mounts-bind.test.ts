// Mounts: binds of directories and files, and their flags.
import { describe, expect, test } from "bun:test";
import { mkdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isPeer } from "./harness.ts";
import { findLine, openMountSandbox } from "./mounts.ts";

const { mount, makeSource, withSubmount } = openMountSandbox("mounts-bind");
const ours = test.skipIf(isPeer);

describe("bind", () => {
  test("a directory, and its content", async () => {
    const source = makeSource("plain");
    const result = await mount(
      [{ destination: "/mnt", type: "bind", source, options: ["bind"] }],
      undefined,
      ["cat", "/mnt/file"],
    );
    expect(result.stdout).toBe("from the host\n");
  });
  test("the option is enough, whatever the type says", async () => {
    const source = makeSource("typeless");
    for (const type of ["none", "bind", ""]) {
      const result = await mount([{ destination: "/mnt", type, source, options: ["rbind"] }], undefined, [
        "cat",
        "/mnt/file",
      ]);
      expect(result.stdout).toBe("from the host\n");
    }
  });
  test("a relative source counts from the bundle", async () => {
    const result = await mount(
      [{ destination: "/mnt", type: "bind", source: "data", options: ["bind"] }],
      (bundle) => {
        mkdirSync(join(bundle.directory, "data"));
        writeFileSync(join(bundle.directory, "data/file"), "of the bundle\n");
      },
      ["cat", "/mnt/file"],
    );
    expect(result.stdout).toBe("of the bundle\n");
  });
  test("a file on a file that exists", async () => {
    const source = join(makeSource("file-on-file"), "file");
    const result = await mount(
      [{ destination: "/etc/group", type: "bind", source, options: ["bind", "ro"] }],
      undefined,
      ["cat", "/etc/group"],
    );
    expect(result.stdout).toBe("from the host\n");
  });
  test("a file on nothing: the target and its parents are made", async () => {
    const source = join(makeSource("file-on-nothing"), "file");
    const result = await mount(
      [{ destination: "/a/b/c/file", type: "bind", source, options: ["bind"] }],
      undefined,
      ["sh", "-c", "cat /a/b/c/file; stat -c %a /a /a/b /a/b/c"],
    );
    expect(result.stdout).toBe("from the host\n755\n755\n755\n");
    expect(statSync(join(result.bundle.rootfs, "a/b/c/file")).isFile()).toBe(true);
  });
  test("a file on a directory tells `not a directory`", async () => {
    const source = join(makeSource("file-on-directory"), "file");
    const result = await mount([{ destination: "/etc", type: "bind", source, options: ["bind"] }]);
    expect(result.status).toBe(1);
    expect(result.stderr).toMatch(/not a directory/);
  });
  test("a directory on a file is an error", async () => {
    const result = await mount([
      {
        destination: "/etc/passwd",
        type: "bind",
        source: makeSource("directory-on-file"),
        options: ["bind"],
      },
    ]);
    expect(result.status).toBe(1);
    expect(result.stderr).toMatch(/not a directory/);
  });
  test("a source that does not exist", async () => {
    const result = await mount([
      { destination: "/mnt", type: "bind", source: "/no/such/source", options: ["bind"] },
    ]);
    expect(result.status).toBe(1);
    expect(result.stderr).toMatch("/no/such/source");
    expect(result.stderr).toMatch("no such file or directory");
  });
  test("bind takes no submounts, rbind does", async () => {
    await withSubmount("tree", "size=64k", async (source) => {
      const shallow = await mount([{ destination: "/mnt", type: "bind", source, options: ["bind"] }]);
      expect(shallow.lines.some((l) => l.point === "/mnt/below")).toBe(false);
      const deep = await mount([{ destination: "/mnt", type: "bind", source, options: ["rbind"] }]);
      expect(deep.lines.some((l) => l.point === "/mnt/below")).toBe(true);
    });
  });
  test("ro on rbind is for the top alone", async () => {
    await withSubmount("shallow-ro", "size=64k", async (source) => {
      const result = await mount([{ destination: "/mnt", type: "bind", source, options: ["rbind", "ro"] }]);
      expect(findLine(result, "/mnt").options).toContain("ro");
      expect(findLine(result, "/mnt/below").options).toContain("rw");
    });
  });
  test("ro keeps the source's nosuid, nodev and noexec", async () => {
    await withSubmount("locked", "nosuid,nodev,noexec,noatime,size=64k", async (source) => {
      const result = await mount([
        { destination: "/mnt", type: "bind", source: join(source, "below"), options: ["bind", "ro"] },
      ]);
      const line = findLine(result, "/mnt");
      if (!isPeer)
        expect(line.options).toEqual(expect.arrayContaining(["ro", "nosuid", "nodev", "noexec", "noatime"]));
      expect(line.options).toContain("ro");
    });
  });
  ours("exec and suid clear what the source has", async () => {
    await withSubmount("cleared", "nosuid,noexec,ro,size=64k", async (source) => {
      const below = join(source, "below");
      const result = await mount([
        { destination: "/mnt", type: "bind", source: below, options: ["bind", "suid", "exec", "rw"] },
      ]);
      const line = findLine(result, "/mnt");
      for (const gone of ["nosuid", "noexec", "ro"]) expect(line.options).not.toContain(gone);
    });
  });
});
