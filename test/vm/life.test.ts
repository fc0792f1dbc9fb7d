// The life of a container on cgroup2: what there is of its cgroup at each step, as the peers have it.
import { describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import type { Config } from "../e2e/config.ts";
import { openSandbox, readStatus, type Sandbox, waitFor } from "../e2e/harness.ts";
import { cgroupDir, readCgroup, readDisk } from "./cgroups.ts";

const box = openSandbox("vm-life");
const MIB = 1024 * 1024;

const placed = (id: string, args: readonly string[], change?: (config: Config) => void): string =>
  box.bundle(args, (config) => {
    config.linux.cgroupsPath = `/${id}`;
    change?.(config);
  }).directory;

test("create, start, exec, kill, delete", async () => {
  const id = box.id();
  await box.ok(["create", "--bundle", placed(id, ["sleep", "1000"]), id]);
  const { pid } = JSON.parse((await box.ok(["state", id])).stdout);
  expect(readCgroup(id, "cgroup.procs")).toBe(String(pid));
  expect(readFileSync(`/proc/${pid}/cgroup`, "utf8")).toBe(`0::/${id}\n`);
  for (const controller of ["cpuset", "cpu", "io", "memory", "hugetlb", "pids"])
    expect(readCgroup(id, "cgroup.controllers").split(" ")).toContain(controller);
  await box.ok(["start", id]);
  expect(readCgroup(id, "cgroup.procs")).toBe(String(pid));
  expect((await box.ok(["exec", id, "cat", "/proc/self/cgroup"])).stdout).toBe("0::/\n");
  await box.ok(["exec", "--detach", id, "sleep", "1000"]);
  expect(readCgroup(id, "cgroup.procs").split("\n")).toHaveLength(2);
  expect(JSON.parse((await box.ok(["ps", "--format", "json", id])).stdout)).toHaveLength(2);
  await box.ok(["kill", id, "KILL"]);
  await waitFor("its end", async () => (await readStatus(box, id)) === "stopped");
  await waitFor("everybody's end", () => readCgroup(id, "cgroup.procs") === "");
  await box.ok(["delete", id]);
  expect(existsSync(cgroupDir(id))).toBe(false);
});

test("delete ends with what the container has nested in its cgroup, frozen or not", async () => {
  const id = box.id();
  await box.ok(["run", "--detach", "--bundle", placed(id, ["sleep", "1000"]), id]);
  mkdirSync(`${cgroupDir(id)}/a/b/c`, { recursive: true });
  await box.ok(["exec", "--detach", "--cgroup", "a/b/c", id, "sleep", "1000"]);
  expect(readCgroup(id, "a/b/c/cgroup.procs")).not.toBe("");
  await box.ok(["pause", id]);
  await box.ok(["delete", "--force", id]);
  expect(existsSync(cgroupDir(id))).toBe(false);
});

test("without a pid namespace, SIGKILL ends all at one stroke (cgroup.kill)", async () => {
  const id = box.id();
  const directory = placed(id, ["sh", "-c", "sleep 1000 & sleep 1000 & exec sleep 1000"], (config) => {
    config.linux.namespaces = config.linux.namespaces.filter(({ type }) => type !== "pid");
  });
  await box.ok(["run", "--detach", "--bundle", directory, id]);
  await waitFor("three", () => readCgroup(id, "cgroup.procs").split("\n").length === 3);
  await box.ok(["kill", id, "KILL"]);
  await waitFor("their end", () => readCgroup(id, "cgroup.events").includes("populated 0"));
  await box.ok(["delete", id]);
});

describe("the same as runc and crun", () => {
  const { major, minor } = readDisk();
  const resources: readonly (readonly [string, Record<string, unknown>])[] = [
    ["nothing", {}],
    ["memory", { memory: { limit: 64 * MIB, reservation: 32 * MIB, swap: 96 * MIB } }],
    ["unlimited memory and swap", { memory: { limit: -1, swap: -1 } }],
    ["a CPU quota", { cpu: { quota: 50_000, period: 200_000 } }],
    ["a CPU period alone", { cpu: { period: 50_000 } }],
    ["a cpuset", { cpu: { cpus: "0", mems: "0" } }],
    ["pids", { pids: { limit: 77 } }],
    [
      "I/O rates",
      {
        blockIO: {
          throttleReadBpsDevice: [{ major, minor, rate: MIB }],
          throttleWriteIOPSDevice: [{ major, minor, rate: 100 }],
        },
      },
    ],
    ["huge pages", { hugepageLimits: [{ pageSize: "2MB", limit: 4 * MIB }] }],
    ["unified keys", { unified: { "memory.high": "50000000", "pids.max": "33", "cpu.weight": "42" } }],
  ];

  /** Everything in the container's cgroup that can be set. */
  const SETTINGS =
    /^(memory\.(min|low|high|max|swap\.max|oom\.group)|cpu\.(max|weight|idle|max\.burst)|cpuset\.(cpus|mems)|pids\.max|io\.(max|weight)|hugetlb\..*max|cgroup\.(type|subtree_control|freeze))$/;

  const readSettings = async (
    sandbox: Pick<Sandbox, "ok">,
    wanted: Record<string, unknown>,
  ): Promise<Record<string, string>> => {
    const id = box.id();
    const directory = placed(id, ["sleep", "1000"], (config) => {
      config.linux.resources = { ...config.linux.resources, ...wanted };
    });
    await sandbox.ok(["run", "--detach", "--bundle", directory, id]);
    try {
      const files = readdirSync(cgroupDir(id))
        .filter((name) => SETTINGS.test(name))
        .sort();
      return Object.fromEntries(files.map((name) => [name, readCgroup(id, name)]));
    } finally {
      await sandbox.ok(["delete", "--force", id]);
    }
  };

  for (const [name, wanted] of resources) {
    test(name, async () => {
      const ours = await readSettings(box, wanted);
      expect(Object.keys(ours).length).toBeGreaterThan(15);
      for (const peer of ["runc", "crun"] as const) {
        const theirs = await readSettings(box.withPeer(peer), wanted);
        // Debian's peers limit use alone; tsrunc, as the peers of today, reservations too.
        const rest = Object.fromEntries(
          Object.entries(theirs).map(([file, value]) => [file, /rsvd/.test(file) ? ours[file] : value]),
        );
        expect({ peer, settings: ours }).toEqual({ peer, settings: rest as Record<string, string> });
      }
    });
  }

  test("the container's own view of its cgroup", async () => {
    const script =
      "cat /proc/self/cgroup; grep cgroup /proc/self/mountinfo | cut -d' ' -f4-6; ls /sys/fs/cgroup | sort | head -n 200";
    const change = (config: Config): void => {
      config.mounts.push({
        destination: "/sys/fs/cgroup",
        type: "cgroup",
        source: "cgroup",
        options: ["nosuid", "noexec", "nodev", "ro"],
      });
    };
    const ours = (await box.look(["sh", "-c", script], change)).stdout;
    expect(ours).toStartWith("0::/\n");
    for (const peer of ["runc", "crun"] as const)
      expect({ peer, view: ours }).toEqual({
        peer,
        view: (await box.withPeer(peer).look(["sh", "-c", script], change)).stdout,
      });
  });
});
