import { afterAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseBoundingSet } from "../../src/host/privilege.ts";
import { checkKernel, collectFacts, parseKernelVersion, parseMountInfo } from "../../src/host/probe.ts";
import type { Config } from "../../src/spec/config.ts";
import { context } from "../init/init.ts";

const bundle = realpathSync(mkdtempSync(join(tmpdir(), "tsrunc-probe-")));
afterAll(() => rmSync(bundle, { recursive: true }));
mkdirSync(join(bundle, "rootfs"));
writeFileSync(join(bundle, "file"), "");
symlinkSync("rootfs", join(bundle, "link"));

const collect = (path: string, mounts: Config["mounts"] = []) =>
  collectFacts(context, { ociVersion: "1.3.0", root: { path }, mounts } as Config, bundle, {
    hierarchies: [],
    links: [],
  });

describe("collectFacts", () => {
  test("finds the root file system, also by an absolute path and through a symbolic link", () => {
    const rootfs = join(bundle, "rootfs");
    for (const path of ["rootfs", "./rootfs/", rootfs, "link"]) expect(collect(path).rootfs).toBe(rootfs);
  });
  test("refuses one that is missing or no directory", () => {
    expect(() => collect("none")).toThrow(
      `root.path: invalid rootfs: stat ${bundle}/none: no such file or directory`,
    );
    expect(() => collect("file")).toThrow(`root.path: invalid rootfs: stat ${bundle}/file: not a directory`);
  });
  test("tells the types of bind mounts' sources", () => {
    const facts = collect("rootfs", [
      { destination: "/a", source: "file", options: ["bind"] },
      { destination: "/b", source: join(bundle, "link"), options: ["rbind"] },
      { destination: "/c", source: "none", type: "bind" },
      { destination: "/d", source: "rootfs", type: "tmpfs" },
    ]);
    expect([...facts.sources]).toEqual([
      [join(bundle, "file"), "file"],
      [join(bundle, "link"), "directory"],
      [join(bundle, "none"), "absent"],
    ]);
  });
  test("knows this host", () => {
    const facts = collect("rootfs");
    expect(facts.mountPoints.some(({ path, fsType }) => path === "/proc" && fsType === "proc")).toBe(true);
    expect(facts.boundingSet).toBeGreaterThan(0n);
    expect(facts.arch).toBe(process.arch === "arm64" ? "aarch64" : "x86_64");
  });
});

test("mountinfo: escapes, optional fields, separator", () => {
  const text = [
    "36 35 98:0 /mnt1 /a\\040b\\011c\\134d\\012e rw,noatime master:1 shared:7 - ext3 /dev/root rw,errors=continue",
    "37 35 98:0 / / rw - overlay - rw",
    "",
  ].join("\n");
  expect(parseMountInfo(text)).toEqual([
    { path: "/a b\tc\\d\ne", root: "/mnt1", fsType: "ext3", propagation: ["master:1", "shared:7"] },
    { path: "/", root: "/", fsType: "overlay", propagation: [] },
  ]);
});

test("kernels before 5.14 are refused", () => {
  expect(parseKernelVersion("6.18.0-rc1+deb")).toEqual([6, 18]);
  expect(() => checkKernel(parseKernelVersion("5.13.19"))).toThrow(
    "tsrunc needs Linux 5.14 or later, and this is 5.13",
  );
  expect(() => checkKernel([4, 19])).toThrow();
  for (const kernel of [
    [5, 14],
    [5, 15],
    [6, 0],
  ] as const)
    expect(() => checkKernel(kernel)).not.toThrow();
});

test("the bounding set", () => {
  expect(parseBoundingSet("CapInh:\t0\nCapBnd:\t000001ffffffffff\n")).toBe(0x1ffffffffffn);
  expect(() => parseBoundingSet("")).toThrow("no CapBnd");
});
