// tmpcopyup, made for real.
import { afterAll, beforeAll, expect, test } from "bun:test";
import {
  chmodSync,
  chownSync,
  closeSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  readSync,
  statSync,
  symlinkSync,
  truncateSync,
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

function readStart(path: string, length: number): string {
  const bytes = Buffer.alloc(length);
  const fd = openSync(path, "r");
  readSync(fd, bytes);
  closeSync(fd);
  return bytes.toString();
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

test("20,000 files take some hundred batches", () => {
  const directory = join(bundle, "rootfs/many");
  mkdirSync(directory);
  for (let i = 0; i < 20_000; i++) writeFileSync(join(directory, `f${i}`), i % 100 === 0 ? String(i) : "");
  withContainer(bundle, makeMount("/many"), (made) => {
    expect(readdirSync(made.path("/many")).length).toBe(20_000);
    expect(readFileSync(made.path("/many/f19900"), "utf8")).toBe("19900");
    expect(made.session.log.count).toBeLessThan(400);
    expect(made.session.log.helped.size).toBe(0);
  });
}, 60_000);

test("a file that one batch shall not copy whole, among others", () => {
  const directory = join(bundle, "rootfs/big");
  mkdirSync(directory);
  const sizes = { a: 40 << 20, b: (64 << 20) + 5, c: 40 << 20, d: 64 << 20, e: 3 };
  for (const [name, size] of Object.entries(sizes)) {
    writeFileSync(join(directory, name), `${name} begins`);
    truncateSync(join(directory, name), size);
    chmodSync(join(directory, name), 0o4751);
  }
  const expected = describeTree(directory);
  withContainer(bundle, makeMount("/big"), (made) => {
    expect(describeTree(made.path("/big"))).toEqual(expected);
    for (const name of ["a", "b", "c", "d"])
      expect(readStart(made.path(`/big/${name}`), 10)).toBe(`${name} begins\0\0`);
  });
}, 60_000);

test("files and links that are longer or shorter than their size says", () => {
  const sources = {
    "/shorter": "/sys/devices/system/cpu/cpu0/topology",
    "/longer": "/proc/sys/kernel/pty",
    "/links": `/proc/${process.pid}/ns`,
  };
  const config = makeConfig({
    mounts: [
      PROC,
      DEV,
      ...Object.entries(sources).flatMap(([destination, source]) => [
        { destination, type: "bind", source, options: ["bind"] },
        { destination, type: "tmpfs", source: "t", options: ["tmpcopyup"] },
      ]),
    ],
  });
  const read = (path: string): string =>
    lstatSync(path).isSymbolicLink() ? readlinkSync(path) : readFileSync(path, "latin1");
  withContainer(bundle, config, (made) => {
    for (const [destination, source] of Object.entries(sources)) {
      expect(made.line(destination).fsType).toBe("tmpfs");
      const names = readdirSync(source);
      expect(readdirSync(made.path(destination)).sort()).toEqual(names.sort());
      for (const name of names)
        expect({ name, text: read(join(made.path(destination), name)) }).toEqual({
          name,
          text: read(join(source, name)),
        });
    }
  });
});
