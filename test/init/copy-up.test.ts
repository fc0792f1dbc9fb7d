// tmpcopyup, made for real.
import { afterAll, beforeAll, expect, test } from "bun:test";
import {
  chmodSync,
  chownSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { DEV, makeBundle, makeConfig, PROC, removeBundle, withContainer } from "./container.ts";

let bundle = "";
beforeAll(() => {
  bundle = makeBundle();
});
afterAll(() => removeBundle(bundle));

function fill(directory: string): void {
  mkdirSync(join(directory, "sub/deeper"), { recursive: true });
  writeFileSync(join(directory, "file"), "content");
  writeFileSync(join(directory, "empty"), "");
  writeFileSync(join(directory, "large"), Buffer.alloc(3_000_000, "x"));
  writeFileSync(join(directory, "sub/deeper/set"), "id");
  chownSync(join(directory, "sub/deeper/set"), 1000, 1001);
  chmodSync(join(directory, "sub/deeper/set"), 0o4751);
  chmodSync(join(directory, "sub"), 0o3710);
  chownSync(join(directory, "sub"), 5, 6);
  symlinkSync("/etc/passwd", join(directory, "link"));
  symlinkSync("x".repeat(3000), join(directory, "long"));
  lutimesSync(join(directory, "link"), 100, 200);
  lutimesSync(join(directory, "sub"), 300, 400);
  Bun.spawnSync(["mkfifo", join(directory, "fifo")]);
  Bun.spawnSync(["mknod", join(directory, "device"), "c", "10", "259"]);
  for (let i = 0; i < 700; i++) writeFileSync(join(directory, `sub/deeper/n${i}`), String(i));
  // A name that is no UTF-8.
  Bun.spawnSync([
    "python3",
    "-c",
    "import sys,os; open(os.fsencode(sys.argv[1])+b'/\\xff\\xfe','w')",
    directory,
  ]);
}

/** Everything about a tree that a copy must keep. */
function describeTree(directory: string): readonly string[] {
  const list = Bun.spawnSync(["find", ".", "-printf", "%P %y %m %U:%G %s %l %T@\\n"], { cwd: directory });
  return list.stdout
    .toString("latin1")
    .split("\n")
    .map((line) => (line.includes(" d ") ? line.replace(/ \d+ {2}/, " ") : line)) // sizes of directories differ
    .slice(1)
    .sort();
}

function makeMount(destination: string, ...options: string[]) {
  return makeConfig({
    mounts: [PROC, DEV, { destination, type: "tmpfs", source: "t", options: ["tmpcopyup", ...options] }],
  });
}

test("the tmpfs has the image's files with owner, mode, times, links and devices", () => {
  fill(join(bundle, "rootfs/data"));
  const expected = describeTree(join(bundle, "rootfs/data"));
  expect(expected.length).toBeGreaterThan(700);
  withContainer(bundle, makeMount("/data"), (made) => {
    expect(made.line("/data").fsType).toBe("tmpfs");
    expect(describeTree(made.path("/data"))).toEqual(expected);
    expect(readFileSync(made.path("/data/file"), "utf8")).toBe("content");
    expect(statSync(made.path("/data/large")).size).toBe(3_000_000);
    expect(readFileSync(made.path("/data/sub/deeper/n699"), "utf8")).toBe("699");
    expect(readlinkSync(made.path("/data/long")).length).toBe(3000);
    expect(lstatSync(made.path("/data/device")).rdev).toBe(
      lstatSync(join(bundle, "rootfs/data/device")).rdev,
    );
    writeFileSync(made.path("/data/file"), "changed");
  });
  expect(readFileSync(join(bundle, "rootfs/data/file"), "utf8")).toBe("content");
}, 30_000);

test("over nothing it is empty; read-only it has the files all the same", () => {
  withContainer(bundle, makeMount("/nothing/there"), (made) => {
    expect(readdirSync(made.path("/nothing/there"))).toEqual([]);
  });
  withContainer(bundle, makeMount("/bin", "ro"), (made) => {
    expect(readdirSync(made.path("/bin")).sort()).toEqual(["busybox", "sh"]);
    expect(made.line("/bin").options).toContain("ro");
  });
});

test("one that is too small is an error that names the mount", () => {
  expect(() => withContainer(bundle, makeMount("/bin", "size=4k"), () => {})).toThrow(
    /mounts\[2\]: tmpfs on \/bin: sendfile.*no space left on device/,
  );
});

test("a tree without end is an error", () => {
  let path = join(bundle, "rootfs/deep");
  mkdirSync(path);
  for (let i = 0; i < 210; i++) {
    path = join(path, "d");
    mkdirSync(path);
  }
  expect(() => withContainer(bundle, makeMount("/deep"), () => {})).toThrow("more than 200 directories deep");
});
