// Mounts: every option of config.md's table, what is made for a missing target, and what is refused.
import { describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Config, Mount } from "./config.ts";
import { type Bundle, isPeer, openSandbox, type Result } from "./harness.ts";
import { listMounts } from "./leftovers.ts";

const box = openSandbox("mounts");
const ours = test.skipIf(isPeer);

interface Line {
  readonly point: string;
  readonly root: string;
  readonly options: readonly string[];
  readonly tags: string;
  readonly type: string;
  readonly superOptions: readonly string[];
}

function parseMountinfo(text: string): Line[] {
  return text
    .trim()
    .split("\n")
    .map((line) => {
      const [before = "", after = ""] = line.split(" - ");
      const fields = before.split(" ");
      const [type = "", , superOptions = ""] = after.split(" ");
      return {
        root: fields[3] ?? "",
        point: fields[4] ?? "",
        options: (fields[5] ?? "").split(","),
        tags: fields.slice(6).join(" "),
        type,
        superOptions: superOptions.split(","),
      };
    });
}

/** Runs with these further mounts; the result has the container's own mountinfo. */
async function mount(
  mounts: readonly Mount[],
  prepare?: (bundle: Bundle) => void,
  args = ["cat", "/proc/self/mountinfo"],
) {
  const bundle = box.bundle(args, (config) => {
    config.mounts.push(...mounts);
  });
  prepare?.(bundle);
  const result = await box.run(["run", "--bundle", bundle.directory, box.id()]);
  return { ...result, bundle, lines: result.status === 0 ? parseMountinfo(result.stdout) : [] };
}

function findLine(result: Result & { lines: readonly Line[] }, point: string): Line {
  expect(result.stderr).toBe("");
  const line = result.lines.findLast((l) => l.point === point);
  if (line === undefined) throw new Error(`no mount on ${point}:\n${result.stdout}`);
  return line;
}

/** A directory on the host with a file and, when wanted, a tmpfs mounted below it. */
function makeSource(name: string): string {
  const path = join(box.directory, name);
  mkdirSync(path, { recursive: true });
  writeFileSync(join(path, "file"), "from the host\n");
  return path;
}

async function withSubmount<T>(
  name: string,
  options: string,
  use: (source: string) => Promise<T>,
): Promise<T> {
  const source = makeSource(name);
  const below = join(source, "below");
  mkdirSync(below, { recursive: true });
  Bun.spawnSync(["mount", "-t", "tmpfs", "-o", options, "tmpfs", below]);
  try {
    return await use(source);
  } finally {
    Bun.spawnSync(["umount", "-l", below]);
  }
}

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

describe("tmpcopyup", () => {
  test("keeps what the image has at the target", async () => {
    const bundle = box.bundle(
      [
        "sh",
        "-c",
        "cat /data/file /data/sub/inner; readlink /data/link; stat -c %a:%u /data /data/sub; echo x >/data/new",
      ],
      (config) => {
        config.mounts.push({ destination: "/data", type: "tmpfs", source: "tmpfs", options: ["tmpcopyup"] });
      },
    );
    mkdirSync(join(bundle.rootfs, "data/sub"), { recursive: true });
    Bun.spawnSync(["chmod", "750", join(bundle.rootfs, "data/sub")]);
    Bun.spawnSync(["chown", "1000", join(bundle.rootfs, "data/sub")]);
    writeFileSync(join(bundle.rootfs, "data/file"), "kept\n");
    writeFileSync(join(bundle.rootfs, "data/sub/inner"), "inner\n");
    symlinkSync("/etc/passwd", join(bundle.rootfs, "data/link"));
    const result = await box.run(["run", "--bundle", bundle.directory, box.id()]);
    expect(result.stderr).toBe("");
    const [file, inner, link, , sub] = result.stdout.split("\n");
    expect([file, inner, link, sub]).toEqual(["kept", "inner", "/etc/passwd", "750:1000"]);
    expect(existsSync(join(bundle.rootfs, "data/new"))).toBe(false);
  });
});

describe("file system types", () => {
  test("a tmpfs keeps the mode of the directory below it", async () => {
    const result = await mount([{ destination: "/tmp", type: "tmpfs", source: "t" }], undefined, [
      "stat",
      "-c",
      "%a",
      "/tmp",
    ]);
    expect(result.stdout).toBe("1777\n");
  });
  test("proc, sysfs, devpts, mqueue", async () => {
    const result = await mount([]);
    for (const [point, type] of [
      ["/proc", "proc"],
      ["/sys", "sysfs"],
      ["/dev/pts", "devpts"],
      ["/dev/mqueue", "mqueue"],
      ["/dev/shm", "tmpfs"],
    ] as const)
      expect(findLine(result, point).type).toBe(type);
    expect(findLine(result, "/sys").options).toEqual(
      expect.arrayContaining(["ro", "nosuid", "nodev", "noexec"]),
    );
  });
  test.skipIf(!existsSync("/sys/fs/cgroup/memory"))(
    "cgroup on a v1 host: a tmpfs with each controller, at the container's own group",
    async () => {
      const result = await mount([
        {
          destination: "/sys/fs/cgroup",
          type: "cgroup",
          source: "cgroup",
          options: ["nosuid", "noexec", "nodev", "relatime", "ro"],
        },
      ]);
      if (!isPeer) expect(findLine(result, "/sys/fs/cgroup").options).toContain("ro");
      const memory = result.lines.find((l) => l.point === "/sys/fs/cgroup/memory");
      expect(memory?.type).toBe("cgroup");
      expect(memory?.options).toContain("ro");
      expect(memory?.root).toBe("/");
    },
  );
  test.skipIf(!existsSync("/sys/fs/cgroup/memory"))(
    "cgroup without a cgroup namespace shows the own group alone",
    async () => {
      const bundle = box.bundle(
        [
          "sh",
          "-c",
          "cat /sys/fs/cgroup/memory/cgroup.procs | wc -l; ls -d /sys/fs/cgroup/memory/process_api 2>/dev/null; true",
        ],
        (config: Config) => {
          config.linux.namespaces = config.linux.namespaces.filter((n) => n.type !== "cgroup");
          config.mounts.push({
            destination: "/sys/fs/cgroup",
            type: "cgroup",
            source: "cgroup",
            options: ["ro"],
          });
        },
      );
      const result = await box.run(["run", "--bundle", bundle.directory, box.id()]);
      expect(result.stderr).toBe("");
      expect(Number(result.stdout.split("\n")[0])).toBeGreaterThan(0);
      expect(Number(result.stdout.split("\n")[0])).toBeLessThan(6);
    },
  );
});

describe("destinations", () => {
  test("order is the config's: a later mount covers an earlier one", async () => {
    const first = makeSource("first");
    const result = await mount(
      [
        { destination: "/mnt", type: "bind", source: first, options: ["bind"] },
        { destination: "/mnt", type: "tmpfs", source: "t" },
      ],
      undefined,
      ["ls", "/mnt"],
    );
    expect(result.stdout).toBe("");
  });
  test("mountinfo lists the mounts in the config's order", async () => {
    const bind = (name: string): Config["mounts"][number] => ({
      destination: `/${name}`,
      type: "bind",
      source: makeSource(name),
      options: ["bind"],
    });
    const tmpfs = (name: string): Config["mounts"][number] => ({
      destination: `/${name}`,
      type: "tmpfs",
      source: "t",
    });
    const result = await mount([bind("o1"), tmpfs("o2"), bind("o3"), tmpfs("o4"), bind("o5")]);
    const points = parseMountinfo(result.stdout).map((line) => line.point);
    expect(points.filter((point) => /^\/o\d$/.test(point))).toEqual(["/o1", "/o2", "/o3", "/o4", "/o5"]);
  });
  ours("a bind mount ignores options of a new tmpfs, and is warned about", async () => {
    const log = join(box.directory, "tmpfs-options.log");
    const options = ["bind", "ro", "mode=755", "size=1k"];
    const bundle = box.bundle(["cat", "/proc/self/mountinfo"], (config) => {
      config.mounts.push({ destination: "/mnt", source: "/etc", options });
    });
    const { stdout } = await box.ok(["--log", log, "run", "--bundle", bundle.directory, box.id()]);
    expect(parseMountinfo(stdout).find((l) => l.point === "/mnt")).toMatchObject({ root: "/etc" });
    expect(readFileSync(log, "utf8")).toContain(
      `]: a bind mount ignores \\"mode=755,size=1k\\": options of a new tmpfs`,
    );
  });
  ours("a relative one counts from / and is warned about", async () => {
    const log = join(box.directory, "relative.log");
    const bundle = box.bundle(["cat", "/proc/self/mountinfo"], (config) => {
      config.mounts.push({ destination: "relative/dir", type: "tmpfs", source: "t" });
    });
    const result = await box.run([
      "--log",
      log,
      "--log-format",
      "json",
      "run",
      "--bundle",
      bundle.directory,
      box.id(),
    ]);
    expect(result.status).toBe(0);
    expect(parseMountinfo(result.stdout).some((l) => l.point === "/relative/dir")).toBe(true);
    expect(readFileSync(log, "utf8")).toMatch(/warning.*relative/);
  });
  test("a symbolic link in it is followed inside the rootfs", async () => {
    const result = await mount([{ destination: "/link/dir", type: "tmpfs", source: "t" }], (bundle) => {
      mkdirSync(join(bundle.rootfs, "real"));
      symlinkSync("/real", join(bundle.rootfs, "link"));
    });
    expect(result.lines.some((l) => l.point === "/real/dir")).toBe(true);
  });
  for (const destination of [
    "/proc/sys",
    "/proc/self",
    "/proc/1",
    "/proc/sysrq-trigger",
    "/proc/self/attr/exec",
    "/proc/../proc/sys",
  ]) {
    test.skipIf(isPeer && /sys$/.test(destination))(`${destination} is refused`, async () => {
      const result = await mount([{ destination, type: "tmpfs", source: "t" }]);
      expect(result.status).toBe(1);
      expect(result.stderr).toMatch(/proc/);
    });
  }
  ours("a tmpfs or a directory on /proc itself is refused", async () => {
    for (const entry of [
      { destination: "/proc", type: "tmpfs", source: "t" },
      { destination: "/proc", type: "bind", source: makeSource("fake-proc"), options: ["bind"] },
    ]) {
      const result = await mount([entry]);
      expect(result.status).toBe(1);
      expect(result.stderr).toMatch(/\/proc/);
    }
  });
  for (const name of ["cpuinfo", "diskstats", "meminfo", "stat", "swaps", "uptime", "loadavg"]) {
    test(`/proc/${name} may be replaced by a file, as lxcfs does`, async () => {
      const source = join(makeSource("lxcfs"), "file");
      const result = await mount(
        [{ destination: `/proc/${name}`, type: "bind", source, options: ["bind"] }],
        undefined,
        ["cat", `/proc/${name}`],
      );
      expect(result.stdout).toBe("from the host\n");
    });
  }
  ours("the host's procfs may be bound on /proc", async () => {
    const bundle = box.bundle(["sh", "-c", "test -e /proc/self && echo there"], (config) => {
      config.mounts[0] = { destination: "/proc", type: "bind", source: "/proc", options: ["rbind"] };
      config.linux.namespaces = config.linux.namespaces.filter((n) => n.type !== "pid");
      config.linux.maskedPaths = [];
      config.linux.readonlyPaths = [];
    });
    const result = await box.run(["run", "--bundle", bundle.directory, box.id()]);
    expect(result.stdout).toBe("there\n");
  });
});
