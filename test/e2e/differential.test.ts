// The same bundle under the executable under test, runc and crun: what the process finds must be equal, save the
// differences that are named here with their reason.
import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { addUserNamespace, type Config, type Seccomp } from "./config.ts";
import { openSandbox } from "./harness.ts";

const box = openSandbox("differential");
const peers = (["runc", "crun"] as const).filter((name) => Bun.which(name) !== null);

/** Runs the args under all; the first result is the tested executable's. */
async function compare(
  args: readonly string[],
  change: ((config: Config) => void) | undefined,
  shape: (output: string, peer: string) => unknown,
  only = peers as readonly ("runc" | "crun")[],
) {
  const own = await box.look(args, change);
  for (const name of only) {
    const theirs = await box.withPeer(name).look(args, change);
    expect({ peer: name, status: own.status, output: shape(own.stdout, name) }).toEqual({
      peer: name,
      status: theirs.status,
      output: shape(theirs.stdout, name),
    });
  }
}

/** Mount lines without what differs from run to run: numbers, devices, and the bundle's own path. */
const shapeMounts = (text: string, peer: string): string[] =>
  text
    .trim()
    .split("\n")
    .map((line) => {
      const [before = "", after = ""] = line.split(" - ");
      const [, , , root = "", point = "", options = "", ...tags] = before.split(" ");
      const [type = "", source = "", superOptions = ""] = after.split(" ");
      const cleanRoot = root.replace(/^.*\/rootfs$/, "ROOTFS").replace(/e2e-[\w-]+/, "ID");
      // How a path is masked is each runtime's own: which /dev/null is bound with which flags, which limits a tmpfs has.
      if (/^\/(proc\/(keys|kcore)|sys\/firmware)$/.test(point)) return `${point} masked`;
      // Devices bound in a user namespace: runc adds nosuid and noexec to the bind, crun adds nothing.
      if (type === "devtmpfs") return `${point} device`;
      // Where the host's root is shared: crun and runc up to 1.1 leave the container's root a slave of it, later ones of
      // runc make it private, and so does tsrunc; crun makes binds private, runc does not.
      const isOwnWay = peer === "crun" || point === "/";
      const tagNames = isOwnWay ? "" : tags.map((tag) => tag.replace(/:\d+/, "")).join(" ");
      const sorted = (list: string): string => list.split(",").sort().join(",");
      // Whether `ro` of sysfs also makes its superblock read-only differs between runc and crun; the mount is what counts.
      const shownSuper = type === "sysfs" ? "" : sorted(superOptions);
      return [point, cleanRoot, sorted(options), tagNames, type, source, shownSuper].join(" ");
    })
    .sort();

const shapeStatus = (text: string): string[] =>
  text
    .trim()
    .split("\n")
    .filter((line) =>
      /^(Umask|Uid|Gid|Groups|NStgid|NSpid|CapInh|CapPrm|CapEff|CapBnd|CapAmb|NoNewPrivs|Seccomp|SigIgn|SigCgt|Cpus_allowed_list|Threads):/.test(
        line,
      ),
    )
    .map((line) => line.replace(/^(NSpid|NStgid):.*\t/, "$1:\t"));

const configs: [string, ((config: Config) => void) | undefined][] = [
  ["the default config", undefined],
  [
    "a user, groups and capabilities",
    (config) => {
      config.process.user = { uid: 1000, gid: 1000, additionalGids: [5, 10] };
      config.process.noNewPrivileges = false;
      const names = ["CAP_CHOWN", "CAP_NET_RAW"];
      config.process.capabilities = {
        bounding: names,
        effective: names,
        permitted: names,
        inheritable: names,
        ambient: names,
      };
    },
  ],
  [
    "a read-only root",
    (config) => {
      config.root.readonly = true;
    },
  ],
  ["a user namespace", addUserNamespace],
];

describe("/proc/self/status", () => {
  for (const [title, change] of configs)
    test(title, async () => {
      await compare(["cat", "/proc/self/status"], change, shapeStatus);
    });
});

describe("/proc/self/mountinfo", () => {
  for (const [title, change] of configs)
    test(title, async () => {
      await compare(["cat", "/proc/self/mountinfo"], change, shapeMounts);
    });
  test("mounts with many options", async () => {
    await compare(
      ["cat", "/proc/self/mountinfo"],
      (config) => {
        config.mounts.push(
          {
            destination: "/a",
            type: "tmpfs",
            source: "one",
            options: ["nosuid", "noexec", "ro", "size=64k", "mode=711"],
          },
          { destination: "/b", type: "bind", source: "/etc", options: ["rbind", "ro", "nodev"] },
          { destination: "/c", type: "bind", source: "/etc/hostname", options: ["bind", "rprivate"] },
          { destination: "/d/e/f", type: "tmpfs", source: "two", options: ["noatime", "nodiratime"] },
          { destination: "/g", type: "bind", source: "/usr/share", options: ["rbind", "rro"] },
        );
      },
      (text, peer) => shapeMounts(text, peer).filter((line) => /^\/[a-g]/.test(line)),
    );
  });
});

test("/proc/self/limits", async () => {
  // Go raises RLIMIT_NOFILE in itself and Debian's runc hands that down when the config is silent: so the config sets it.
  await compare(
    ["cat", "/proc/self/limits"],
    (config) => {
      config.process.rlimits = [
        { type: "RLIMIT_NOFILE", soft: 512, hard: 512 },
        { type: "RLIMIT_CORE", soft: 1, hard: 2 },
      ];
    },
    (text) => text,
  );
});

describe("Docker's seccomp profile", () => {
  const fixture = new URL("../../spec-fixtures/good/docker-28.json", import.meta.url);
  const { linux } = JSON.parse(readFileSync(fixture, "utf8")) as Config;
  for (const noNewPrivileges of [true, false])
    test(`no_new_privs ${noNewPrivileges}`, async () => {
      const script =
        "grep ^Seccomp /proc/self/status; unshare -m true; mount -t tmpfs t /tmp; mkdir /tmp/x; dmesg; echo $?";
      await compare(
        ["sh", "-c", `{ ${script}; } 2>&1`],
        (config) => {
          config.process.noNewPrivileges = noNewPrivileges;
          config.linux.seccomp = linux.seccomp as Seccomp;
        },
        (text) => text,
      );
    });
});

test("env", async () => {
  const shape = (text: string): string[] => text.trim().split("\n").sort();
  await compare(["env"], undefined, shape);
});

test("namespaces: which are the caller's", async () => {
  const script =
    "for n in pid net ipc uts mnt cgroup user time; do echo $n $(readlink /proc/self/ns/$n); done";
  const own = new Map(
    Bun.spawnSync(["sh", "-c", script])
      .stdout.toString()
      .trim()
      .split("\n")
      .map((l) => l.split(" ") as [string, string]),
  );
  await compare(["sh", "-c", script], undefined, (text) =>
    text
      .trim()
      .split("\n")
      .map((line) => {
        const [name = "", link] = line.split(" ");
        return `${name} ${own.get(name) === link ? "caller's" : "new"}`;
      }),
  );
});

/** crun makes /dev/core always; runc, and we, only where the host has /proc/kcore. */
const shapeDevices = (text: string): string[] =>
  text.split("\n").filter((line) => !line.startsWith("core ") && line !== "/proc/kcore");

test("the tree of /dev: types, modes, owners, links", async () => {
  await compare(
    ["sh", "-c", "cd /dev; stat -c '%n %F %a %u:%g %t:%T' * | sort; for l in *; do readlink $l; done"],
    undefined,
    shapeDevices,
  );
});

test("/proc/self/cgroup within a cgroup namespace", async () => {
  await compare(["cat", "/proc/self/cgroup"], undefined, (text) =>
    text
      .trim()
      .split("\n")
      .sort()
      .filter((line) => !line.startsWith("0::")),
  );
});

test.skipIf(!existsSync("/sys/fs/cgroup/memory"))("the files of the cgroup", async () => {
  const files = [
    "memory/memory.limit_in_bytes",
    "memory/memory.swappiness",
    "cpu/cpu.shares",
    "cpu/cpu.cfs_quota_us",
    "cpu/cpu.cfs_period_us",
    "pids/pids.max",
    "cpuset/cpuset.cpus",
    "cpuset/cpuset.mems",
    "freezer/freezer.state",
  ].map((name) => `/sys/fs/cgroup/${name}`);
  await compare(
    ["cat", ...files],
    (config) => {
      config.mounts.push({
        destination: "/sys/fs/cgroup",
        type: "cgroup",
        source: "cgroup",
        options: ["ro", "nosuid", "noexec", "nodev"],
      });
      Object.assign(config.linux.resources ?? {}, {
        pids: { limit: 100 },
        memory: { limit: 134217728 },
        cpu: { shares: 256, quota: 30000, period: 100000 },
      });
    },
    (text) => text,
  );
});

test.skipIf(!existsSync("/sys/fs/cgroup/devices"))("the device rules", async () => {
  // Each runtime has its own order; the kernel's answer is a set. runc adds console and tun, which the others leave out.
  const extra = /^c (5:1|10:200) rwm$/;
  await compare(
    ["cat", "/sys/fs/cgroup/devices/devices.list"],
    (config) => {
      config.mounts.push({
        destination: "/sys/fs/cgroup",
        type: "cgroup",
        source: "cgroup",
        options: ["ro"],
      });
      config.linux.resources = {
        devices: [
          { allow: false, access: "rwm" },
          { allow: true, type: "c", major: 10, minor: 229, access: "rwm" },
        ],
      };
    },
    (text) =>
      text
        .trim()
        .split("\n")
        .filter((line) => !extra.test(line))
        .sort(),
  );
});

describe("exit statuses", () => {
  for (const script of ["exit 0", "exit 3", "exit 255"])
    test(script, async () => {
      await compare(["sh", "-c", script], undefined, (text) => text);
    });
});

test("what is left in the rootfs on the host", async () => {
  const listing = async (program: { run: typeof box.run }) => {
    const bundle = box.bundle(["true"], (config) => {
      config.mounts.push({
        destination: "/new/file",
        type: "bind",
        source: "/etc/hostname",
        options: ["bind"],
      });
      config.mounts.push({ destination: "/other/dir", type: "tmpfs", source: "t" });
      config.process.cwd = "/made/cwd";
    });
    await program.run(["run", "--bundle", bundle.directory, box.id()]);
    return Bun.spawnSync([
      "sh",
      "-c",
      `cd ${bundle.rootfs}; find . -path ./bin -prune -o ! -type d -printf '%p %y %U:%G %s\\n' | sort; find . -path ./bin -prune -o -type d -printf '%p %M\\n' | sort`,
    ]).stdout.toString();
  };
  const own = await listing(box);
  // crun makes directories with the sticky bit.
  if (peers.includes("runc")) expect(own).toBe(await listing(box.withPeer("runc")));
});
