// Mounts: destinations that lead through symbolic links of the image to what is not there yet, such as
// `/etc/resolv.conf -> ../run/systemd/resolve/stub-resolv.conf`. What they lead to is made in the root file system.
import { describe, expect, test } from "bun:test";
import { mkdirSync, symlinkSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { addUserNamespace, type Config } from "./config.ts";
import { peers } from "./differential.ts";
import { executable, isPeer, type Sandbox } from "./harness.ts";
import { openMountSandbox, parseMountinfo } from "./mounts.ts";

const { box, makeSource } = openMountSandbox("mounts-links");
const ours = test.skipIf(isPeer);

type Links = Readonly<Record<string, string | Buffer>>;

interface Outcome {
  readonly status: number | null;
  readonly stderr: string;
  /** What is mounted beyond the default config's mounts. */
  readonly points: readonly string[];
  readonly stdout: string;
  /** What the run has left in the root file system that was not there before. */
  readonly made: readonly string[];
}

function listFiles(rootfs: string): readonly string[] {
  const found = Bun.spawnSync(["find", ".", "-printf", "%y %m %P\\n"], { cwd: rootfs });
  return found.stdout.toString().split("\n");
}

/** The mode of a file that is mounted on is each runtime's own. */
const withoutModes = (made: readonly string[]): readonly string[] =>
  made.map((line) => line.replace(/ \d+ /, " ")).toSorted();

/** Runs with these links in the image. */
async function runWith(
  program: Pick<Sandbox, "run">,
  links: Links,
  change: (config: Config) => void,
  args = ["cat", "/proc/self/mountinfo"],
): Promise<Outcome> {
  let usual: readonly string[] = [];
  const bundle = box.bundle(args, (config) => {
    usual = config.mounts.map(({ destination }) => destination);
    change(config);
  });
  for (const [path, target] of Object.entries(links)) {
    mkdirSync(dirname(join(bundle.rootfs, path)), { recursive: true });
    symlinkSync(target, join(bundle.rootfs, path));
  }
  const before = new Set(listFiles(bundle.rootfs));
  const { status, stderr, stdout } = await program.run(["run", "--bundle", bundle.directory, box.id()]);
  const isUsual = (point: string): boolean =>
    usual.some((path) => point === path || /^\/(proc|sys|dev)?($|\/)/.test(point));
  return {
    status,
    stderr,
    stdout,
    points:
      args[0] === "cat"
        ? parseMountinfo(stdout)
            .map(({ point }) => point)
            .filter((point) => !isUsual(point))
        : [],
    made: listFiles(bundle.rootfs).filter((line) => !before.has(line)),
  };
}

const file =
  (destination: string) =>
  (config: Config): void => {
    config.mounts.push({
      destination,
      type: "bind",
      source: join(makeSource("source"), "file"),
      options: ["bind"],
    });
  };
const directory =
  (destination: string) =>
  (config: Config): void => {
    config.mounts.push({ destination, type: "bind", source: makeSource("source"), options: ["bind"] });
  };
const tmpfs =
  (destination: string) =>
  (config: Config): void => {
    config.mounts.push({ destination, type: "tmpfs", source: "t" });
  };

interface Case {
  readonly links: Links;
  readonly mount: (config: Config) => void;
  readonly point: string;
  readonly made: readonly string[];
  /** Who does the same; crun 1.8 only makes a file that a single link at the end leads to. */
  readonly with: readonly ("runc" | "crun")[];
}
const BOTH = ["runc", "crun"] as const;
const SRV_FILE = ["d 755 srv", "f 644 srv/f"];
const SRV_LOCK = ["d 755 srv", "d 755 srv/lock"];
const up = "../../../../../../../../..";

const cases: Readonly<Record<string, Case>> = {
  "a relative link": {
    links: { "etc/resolv.conf": "../run/systemd/resolve/stub-resolv.conf" },
    mount: file("/etc/resolv.conf"),
    point: "/run/systemd/resolve/stub-resolv.conf",
    made: ["d 755 run/systemd", "d 755 run/systemd/resolve", "f 644 run/systemd/resolve/stub-resolv.conf"],
    with: BOTH,
  },
  "an absolute link": {
    links: { "etc/f": "/srv/f" },
    mount: file("/etc/f"),
    point: "/srv/f",
    made: SRV_FILE,
    with: BOTH,
  },
  "a link that leads above the root": {
    links: { "etc/f": `${up}/srv/f` },
    mount: file("/etc/f"),
    point: "/srv/f",
    made: SRV_FILE,
    with: BOTH,
  },
  "a chain of links": {
    links: { "etc/f": "g", "etc/g": "/a/h", "a/h": "./../b//i/" },
    mount: directory("/etc/f"),
    point: "/b/i",
    made: ["d 755 b", "d 755 b/i"],
    with: ["runc"],
  },
  "a link to a directory, for a bind mount": {
    links: { "var/lock": "../srv/lock" },
    mount: directory("/var/lock"),
    point: "/srv/lock",
    made: SRV_LOCK,
    with: ["runc"],
  },
  "a link to a directory, for a tmpfs": {
    links: { "var/lock": "/srv/lock" },
    mount: tmpfs("/var/lock"),
    point: "/srv/lock",
    made: SRV_LOCK,
    with: ["runc"],
  },
  "a link in the middle, for a directory": {
    links: { "var/lock": "/srv/lock" },
    mount: tmpfs("/var/lock/deep/er"),
    point: "/srv/lock/deep/er",
    made: [...SRV_LOCK, "d 755 srv/lock/deep", "d 755 srv/lock/deep/er"],
    with: ["runc"],
  },
  "a link in the middle, for a file": {
    links: { "var/lock": "/srv/lock" },
    mount: file("/var/lock/deep/f"),
    point: "/srv/lock/deep/f",
    made: [...SRV_LOCK, "d 755 srv/lock/deep", "f 644 srv/lock/deep/f"],
    with: ["runc"],
  },
  "links to links in the middle": {
    links: { "var/lock": "/run/first", "run/first": "second/third", "opt/x": "/nowhere" },
    mount: file("/var/lock/f"),
    point: "/run/second/third/f",
    made: ["d 755 run/second", "d 755 run/second/third", "f 644 run/second/third/f"],
    with: ["runc"],
  },
};

describe("made where the link leads to, and mounted there", () => {
  for (const [title, { links, mount, point, made, with: names }] of Object.entries(cases)) {
    const can = !isPeer || names.some((name) => basename(executable) === name);
    test.skipIf(!can)(title, async () => {
      const own = await runWith(box, links, mount);
      expect(own).toMatchObject({ status: 0, stderr: "", points: [point] });
      if (!isPeer) expect(own.made.toSorted()).toEqual(made.toSorted());
      for (const peer of peers.filter((name) => names.includes(name))) {
        const { status, points, made } = await runWith(box.withPeer(peer), links, mount);
        const theirs = { peer, status, points, made: withoutModes(made) };
        expect(theirs).toEqual({ peer, status: 0, points: own.points, made: withoutModes(own.made) });
      }
    });
  }
  test("the process finds it at the destination, and at the place that the link leads to", async () => {
    const links = { "etc/f": "/srv/deep/f" };
    const { stdout } = await runWith(box, links, file("/etc/f"), ["cat", "/etc/f", "/srv/deep/f"]);
    expect(stdout).toBe("from the host\nfrom the host\n");
  });
  ours("`..` after what is missing: the kernel, too, must find the way there", async () => {
    const links = { "etc/f": "/missing/../srv/f" };
    const own = await runWith(box, links, file("/etc/f"), ["cat", "/etc/f"]);
    expect(own).toMatchObject({ status: 0, stdout: "from the host\n" });
    expect(own.made.toSorted()).toEqual(["d 755 missing", ...SRV_FILE]);
  });
  ours("names that are no UTF-8", async () => {
    const odd = Buffer.from([0x2f, 0xff, 0xfe, 0x2f, 0x66]); // "/\xff\xfe/f"
    const { status, points } = await runWith(box, { "etc/f": odd }, file("/etc/f"));
    expect({ status, points }).toEqual({ status: 0, points: ["/\ufffd\ufffd/f"] });
  });
  ours("many of them, each through links of its own", async () => {
    const numbers = Array.from({ length: 150 }, (_, i) => i);
    const links = Object.fromEntries(numbers.map((i) => [`etc/l${i}`, `/srv/${i}/f`]));
    const { status, points } = await runWith(box, links, (config) => {
      for (const i of numbers) file(`/etc/l${i}`)(config);
    });
    expect({ status, points }).toEqual({ status: 0, points: numbers.map((i) => `/srv/${i}/f`) });
  });
  ours("in a user namespace, by its root", async () => {
    const own = await runWith(box, { "etc/f": "/tmp/srv/f" }, (config) => {
      addUserNamespace(config);
      file("/etc/f")(config);
    });
    expect(own).toMatchObject({ status: 0, stderr: "", points: ["/tmp/srv/f"] });
  });
  ours("the working directory and directories of devices", async () => {
    const links = { job: "/srv/job", "opt/dev": "/srv/dev" };
    const change = (config: Config): void => {
      config.process.cwd = "/job/deep";
      config.linux.devices = [{ type: "c", path: "/opt/dev/deep/null", major: 1, minor: 3 }];
    };
    const args = ["sh", "-c", "pwd -P; stat -c '%F %t:%T' /srv/dev/deep/null"];
    const own = await runWith(box, links, change, args);
    expect(own.stdout).toBe("/srv/job/deep\ncharacter special file 1:3\n");
  });
  ours("tmpcopyup copies nothing from there", async () => {
    const own = await runWith(box, { "var/lock": "/srv/lock" }, (config) =>
      config.mounts.push({ destination: "/var/lock", type: "tmpfs", source: "t", options: ["tmpcopyup"] }),
    );
    expect(own).toMatchObject({ status: 0, points: ["/srv/lock"], made: SRV_LOCK });
  });
});

const LOOP = "too many levels of symbolic links";

interface Refused {
  readonly links: Links;
  readonly mount: (config: Config) => void;
  readonly error: string;
  readonly with: readonly ("runc" | "crun")[];
}

const refused: Readonly<Record<string, Refused>> = {
  "a loop": { links: { "etc/f": "g", "etc/g": "f" }, mount: file("/etc/f"), error: LOOP, with: ["runc"] },
  "a loop behind what is missing": {
    links: { "etc/f": "/missing/../etc/f" },
    mount: file("/etc/f"),
    error: `bind ${join(box.directory, "source/file")} on /etc/f: make /etc/f: ${LOOP}`,
    with: ["runc"],
  },
  "a loop in the middle": {
    links: { "opt/a": "/missing/../opt/b", "opt/b": "a" },
    mount: tmpfs("/opt/a/x"),
    error: `tmpfs on /opt/a/x: make /opt/a: ${LOOP}`,
    with: ["runc"],
  },
  "41 links behind what is missing": {
    links: {
      "opt/start": "/missing/../opt/l0",
      ...Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`opt/l${i}`, `l${i + 1}`])),
    },
    mount: tmpfs("/opt/start"),
    error: LOOP,
    with: [],
  },
  "5,000 components": {
    links: {
      "opt/a": `/missing/../${"etc/../".repeat(550)}opt/b`,
      ...Object.fromEntries(
        [..."bcde"].map((name, i) => [`opt/${name}`, `${"../etc/../opt/".repeat(270)}${"cdef"[i]}`]),
      ),
    },
    mount: tmpfs("/opt/a"),
    error: "file name too long",
    with: [],
  },
  "a link to what cannot be made in /proc": {
    links: { "etc/f": "/proc/nothing" },
    mount: file("/etc/f"),
    error: "no such file or directory",
    with: BOTH,
  },
  "a link to a file in the middle": {
    links: { "etc/f": "/etc/passwd/f" },
    mount: file("/etc/f"),
    error: "not a directory",
    with: BOTH,
  },
  "a magic link behind what is missing": {
    links: { "opt/f": "/missing/../proc/self/root/made" },
    mount: tmpfs("/opt/f"),
    error: LOOP,
    with: [],
  },
};

describe("refused, and nothing is made", () => {
  for (const [title, { links, mount, error, with: names }] of Object.entries(refused))
    ours(title, async () => {
      const own = await runWith(box, links, mount);
      expect({ status: own.status, made: own.made }).toEqual({ status: 1, made: [] });
      expect(own.stderr).toContain(error);
      for (const peer of peers.filter((name) => names.includes(name))) {
        const { status, made } = await runWith(box.withPeer(peer), links, mount);
        expect({ peer, status, made }).toEqual({ peer, status: 1, made: [] });
      }
    });
});
