// The same bundle under the executable under test, runc and crun: what the process finds must be equal, save the
// differences that are named here with their reason. Here: the process, its namespaces and its cgroup.
import { describe, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import type { Config, Seccomp } from "./config.ts";
import { configs, openDifferentialSandbox } from "./differential.ts";

const { compare } = openDifferentialSandbox("differential-process");

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

describe("/proc/self/status", () => {
  for (const [title, change] of configs)
    test(title, async () => {
      await compare(["cat", "/proc/self/status"], change, shapeStatus);
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
