// Namespaces: new, joined by path and inherited, each type and the combinations whose order matters.
import { afterAll, describe, expect, test } from "bun:test";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { addUserNamespace, type Config, dropNamespace } from "./config.ts";
import { isPeer, openSandbox, readStatus, waitFor } from "./harness.ts";

const box = openSandbox("namespaces");
const ours = test.skipIf(isPeer);

/** The name of each type in /proc/PID/ns. */
const links: Readonly<Record<string, string>> = {
  pid: "pid",
  network: "net",
  ipc: "ipc",
  uts: "uts",
  mount: "mnt",
  cgroup: "cgroup",
  user: "user",
  time: "time",
};

const readOwn = (link: string): string => readlinkSync(`/proc/self/ns/${link}`);
const show = [
  "sh",
  "-c",
  "for n in pid net ipc uts mnt cgroup user time; do echo $n $(readlink /proc/self/ns/$n); done",
];

function parse(output: string): Map<string, string> {
  const pairs = output
    .trim()
    .split("\n")
    .map((line) => line.split(" ") as [string, string]);
  return new Map(pairs);
}

const holders: ChildProcess[] = [];
afterAll(() => {
  for (const holder of holders)
    if (holder.pid !== undefined && holder.exitCode === null) process.kill(-holder.pid, "SIGKILL");
});

/** Starts a process in new namespaces by unshare(1); returns the path of /proc/PID/ns of one inside them. */
async function holdNamespaces(flags: readonly string[]): Promise<string> {
  const holder = spawn("unshare", [...flags, "--fork", "sleep", "500"], { stdio: "ignore", detached: true });
  holders.push(holder);
  const children = `/proc/${holder.pid}/task/${holder.pid}/children`;
  const child = await waitFor(`unshare ${flags.join(" ")}`, () => {
    const pid = existsSync(children) ? readFileSync(children, "utf8").trim() : "";
    return pid !== "" && readFileSync(`/proc/${pid}/cmdline`, "utf8").startsWith("sleep") ? pid : undefined;
  });
  if (flags.includes("--user")) {
    writeFileSync(`/proc/${child}/uid_map`, "0 100000 65536");
    writeFileSync(`/proc/${child}/gid_map`, "0 100000 65536");
  }
  return `/proc/${child}/ns`;
}

function setPath(config: Config, type: string, path: string): void {
  dropNamespace(config, type);
  config.linux.namespaces.push({ type, path });
}

/** Joins a user namespace by path, with the mappings that it has (runc before 1.3 cannot do without). */
function joinUser(config: Config, directory: string): void {
  addUserNamespace(config);
  setPath(config, "user", `${directory}/user`);
}

test("every namespace that is listed is new, every other one inherited", async () => {
  const seen = parse((await box.look(show)).stdout);
  for (const type of ["pid", "net", "ipc", "uts", "mnt", "cgroup"])
    expect(seen.get(type)).not.toBe(readOwn(type));
  for (const type of ["user", "time"]) expect(seen.get(type)).toBe(readOwn(type));
});

for (const type of ["pid", "network", "ipc", "uts", "cgroup"]) {
  test(`without ${type} in the list, the runtime's is used`, async () => {
    const result = await box.look(show, (config) => {
      dropNamespace(config, type);
      if (type === "uts") delete config.hostname;
      if (type === "network") config.mounts = config.mounts.filter((m) => m.destination !== "/sys");
      if (type === "ipc") config.mounts = config.mounts.filter((m) => m.type !== "mqueue");
    });
    expect(result.stderr).toBe("");
    const link = links[type] ?? "";
    expect(parse(result.stdout).get(link)).toBe(readOwn(link));
  });
}

for (const [type, flag] of [
  ["network", "--net"],
  ["ipc", "--ipc"],
  ["uts", "--uts"],
  ["cgroup", "--cgroup"],
  ["pid", "--pid"],
] as const) {
  test(`joins a ${type} namespace by its path`, async () => {
    const link = links[type] ?? "";
    const directory = await holdNamespaces([flag]);
    const path = `${directory}/${link}`;
    const result = await box.look(show, (config) => setPath(config, type, path));
    expect(result.stderr).toBe("");
    expect(parse(result.stdout).get(link)).toBe(readlinkSync(path));
  });
}

describe("a new network namespace", () => {
  test("has its loopback up", async () => {
    const result = await box.look([
      "sh",
      "-c",
      "ip link show lo; ping -c 1 -W 1 127.0.0.1 >/dev/null && echo reached",
    ]);
    expect(result.stdout).toMatch(/<LOOPBACK,UP,LOWER_UP>/);
    expect(result.stdout).toMatch("reached");
  });
  test("a joined one's loopback is left as it is", async () => {
    const directory = await holdNamespaces(["--net"]);
    const result = await box.look(["ip", "link", "show", "lo"], (config) =>
      setPath(config, "network", `${directory}/net`),
    );
    expect(result.stdout).not.toMatch(/,UP/);
  });
});

describe("a user namespace", () => {
  test("maps ids as configured", async () => {
    const result = await box.look(["cat", "/proc/self/uid_map", "/proc/self/gid_map"], (config) => {
      config.linux.namespaces.push({ type: "user" });
      config.linux.uidMappings = [
        { containerID: 0, hostID: 100000, size: 1000 },
        { containerID: 1000, hostID: 200000, size: 5 },
      ];
      config.linux.gidMappings = [{ containerID: 0, hostID: 300000, size: 1000 }];
    });
    expect(result.stderr).toBe("");
    const rows = result.stdout
      .trim()
      .split("\n")
      .map((line) => line.trim().split(/\s+/).map(Number));
    expect(rows).toEqual([
      [0, 100000, 1000],
      [1000, 200000, 5],
      [0, 300000, 1000],
    ]);
  });
  test("the process runs as the mapped id on the host", async () => {
    const id = box.id();
    await box.ok(["run", "-d", "--bundle", box.bundle(["sleep", "100"], addUserNamespace).directory, id]);
    const { pid } = JSON.parse((await box.ok(["state", id])).stdout) as { pid: number };
    expect(readFileSync(`/proc/${pid}/status`, "utf8")).toMatch(/^Uid:\t100000\t100000/m);
    expect((await box.ok(["exec", id, "id", "-u"])).stdout).toBe("0\n");
    await box.ok(["delete", "--force", id]);
  });
  test("owns the other new namespaces: mounting and setting the hostname work inside", async () => {
    const script = "hostname changed && hostname && mount -t tmpfs t /tmp && echo mounted";
    const result = await box.look(["sh", "-c", script], (config) => {
      addUserNamespace(config);
      for (const set of ["bounding", "effective", "permitted"] as const)
        config.process.capabilities?.[set]?.push("CAP_SYS_ADMIN");
    });
    expect(result.stdout).toBe("changed\nmounted\n");
  });
  test("device nodes are bound from the host, and work", async () => {
    const result = await box.look(
      ["sh", "-c", "echo x >/dev/null && head -c 4 /dev/zero | wc -c; stat -c %t:%T /dev/null"],
      addUserNamespace,
    );
    expect(result.stdout).toBe("4\n1:3\n");
  });
  test("without a pid namespace of its own", async () => {
    const result = await box.look(["readlink", "/proc/self/ns/pid"], (config) => {
      addUserNamespace(config);
      dropNamespace(config, "pid");
      // A new procfs needs a pid namespace that the user namespace owns: bind the host's.
      config.mounts[0] = { destination: "/proc", type: "bind", source: "/proc", options: ["rbind"] };
      config.linux.maskedPaths = [];
      config.linux.readonlyPaths = [];
    });
    expect(result.stderr).toBe("");
    expect(result.stdout.trim()).toBe(readOwn("pid"));
  });
  test("mappings without a user namespace are refused", async () => {
    const result = await box.look(["true"], (config) => {
      config.linux.uidMappings = [{ containerID: 0, hostID: 0, size: 1 }];
    });
    if (!isPeer) expect(result.status).toBe(1);
  });
  test("without mappings it is refused", async () => {
    const result = await box.look(["true"], (config) => {
      config.linux.namespaces.push({ type: "user" });
    });
    expect(result.status).toBe(1);
  });
});

describe("joined and new together", () => {
  const userFlags = ["--user"];
  for (const other of ["network", "ipc", "uts", "pid"]) {
    test(`a joined user namespace and a joined ${other} namespace that it owns`, async () => {
      const flag = { network: "--net", ipc: "--ipc", uts: "--uts", pid: "--pid" }[other] ?? "";
      const directory = await holdNamespaces([...userFlags, flag]);
      const result = await box.look(show, (config) => {
        joinUser(config, directory);
        setPath(config, other, `${directory}/${links[other]}`);
      });
      expect(result.stderr).toBe("");
      const seen = parse(result.stdout);
      expect(seen.get("user")).toBe(readlinkSync(`${directory}/user`));
      expect(seen.get(links[other] ?? "")).toBe(readlinkSync(`${directory}/${links[other]}`));
    });
  }
  test("a joined user namespace and everything else new", async () => {
    const directory = await holdNamespaces(userFlags);
    const result = await box.look(show, (config) => joinUser(config, directory));
    expect(result.stderr).toBe("");
    expect(parse(result.stdout).get("user")).toBe(readlinkSync(`${directory}/user`));
    expect(parse(result.stdout).get("pid")).not.toBe(readOwn("pid"));
  });
  ours("a joined user namespace needs no mappings in the config", async () => {
    const directory = await holdNamespaces(userFlags);
    const result = await box.look(["cat", "/proc/self/uid_map"], (config) => {
      setPath(config, "user", `${directory}/user`);
    });
    expect(result.stderr).toBe("");
    expect(result.stdout.trim().split(/\s+/)).toEqual(["0", "100000", "65536"]);
  });
  ours("a joined user namespace whose mappings are not those of the config is refused", async () => {
    const directory = await holdNamespaces(userFlags);
    const result = await box.look(["true"], (config) => {
      joinUser(config, directory);
      config.linux.uidMappings = [{ containerID: 0, hostID: 5, size: 1 }];
    });
    expect(result.status).toBe(1);
  });
  test("a new user namespace and a joined network namespace of the host's", async () => {
    const directory = await holdNamespaces(["--net"]);
    const result = await box.look(show, (config) => {
      addUserNamespace(config);
      setPath(config, "network", `${directory}/net`);
      // sysfs belongs to the network namespace, which this user namespace does not own.
      config.mounts = config.mounts.filter((m) => m.destination !== "/sys");
    });
    expect(result.stderr).toBe("");
    expect(parse(result.stdout).get("net")).toBe(readlinkSync(`${directory}/net`));
  });
  ours("a new user namespace and a joined pid namespace of the host's", async () => {
    const directory = await holdNamespaces(["--pid"]);
    const result = await box.look(["sh", "-c", "readlink /proc/self/ns/pid"], (config) => {
      addUserNamespace(config);
      setPath(config, "pid", `${directory}/pid`);
      config.mounts[0] = { destination: "/proc", type: "bind", source: "/proc", options: ["rbind"] };
      config.linux.maskedPaths = [];
      config.linux.readonlyPaths = [];
    });
    expect(result.stderr).toBe("");
  });
  test("exec enters a joined pid namespace", async () => {
    const directory = await holdNamespaces(["--pid"]);
    const id = box.id();
    const { directory: bundle } = box.bundle(["sleep", "100"], (config) =>
      setPath(config, "pid", `${directory}/pid`),
    );
    await box.ok(["run", "-d", "--bundle", bundle, id]);
    expect((await box.ok(["exec", id, "readlink", "/proc/self/ns/pid"])).stdout.trim()).toBe(
      readlinkSync(`${directory}/pid`),
    );
    await box.ok(["kill", id, "KILL"]);
    await waitFor("the end", async () => (await readStatus(box, id)) === "stopped");
    await box.ok(["delete", id]);
  });
});

describe("a time namespace", () => {
  const offsets = (config: Config): void => {
    config.linux.namespaces.push({ type: "time" });
    config.linux.timeOffsets = { boottime: { secs: 1000000 }, monotonic: { secs: 2000000, nanosecs: 5 } };
  };
  ours("has the configured offsets, seen by the first process", async () => {
    const result = await box.look(
      ["sh", "-c", "cut -d. -f1 /proc/uptime; cat /proc/self/timens_offsets; readlink /proc/self/ns/time"],
      offsets,
    );
    expect(result.stderr).toBe("");
    const [uptime, monotonic, boottime, link] = result.stdout.trim().split("\n");
    const own = Number(readFileSync("/proc/uptime", "utf8").split(".")[0]);
    expect(Math.abs(Number(uptime) - own - 1000000)).toBeLessThan(30);
    expect(monotonic?.trim().split(/\s+/)).toEqual(["monotonic", "2000000", "5"]);
    expect(boottime?.trim().split(/\s+/)).toEqual(["boottime", "1000000", "0"]);
    expect(link).not.toBe(readOwn("time"));
  });
  ours("works together with new user and pid namespaces, and exec joins it", async () => {
    const id = box.id();
    const { directory } = box.bundle(["sleep", "100"], (config) => {
      offsets(config);
      addUserNamespace(config);
    });
    await box.ok(["run", "-d", "--bundle", directory, id]);
    const inside = await box.ok([
      "exec",
      id,
      "sh",
      "-c",
      "readlink /proc/self/ns/time; readlink /proc/1/ns/time",
    ]);
    const [own, first] = inside.stdout.trim().split("\n");
    expect(own).toBe(first ?? "");
    expect(own).not.toBe(readOwn("time"));
    await box.ok(["delete", "--force", id]);
  });
  ours("is joined by path", async () => {
    const directory = await holdNamespaces(["--time", "--boottime", "5000000"]);
    const result = await box.look(
      ["sh", "-c", "readlink /proc/self/ns/time; cut -d. -f1 /proc/uptime"],
      (config) => setPath(config, "time", `${directory}/time_for_children`),
    );
    expect(result.stderr).toBe("");
    expect(Number(result.stdout.trim().split("\n")[1])).toBeGreaterThan(5000000);
  });
  ours("offsets without a time namespace are refused", async () => {
    const result = await box.look(["true"], (config) => {
      config.linux.timeOffsets = { boottime: { secs: 1 } };
    });
    expect(result.status).toBe(1);
  });
});

describe("refused", () => {
  for (const type of Object.keys(links).filter((t) => t !== "time" || !isPeer)) {
    test(`a path to another type of namespace for ${type}`, async () => {
      const other = type === "uts" ? "ipc" : "uts";
      const result = await box.look(["true"], (config) => {
        setPath(config, type, `/proc/self/ns/${other}`);
        if (type === "uts") delete config.hostname;
      });
      expect(result.status).toBe(1);
      expect(result.stderr.length).toBeGreaterThan(10);
    });
  }
  test("a path that does not exist", async () => {
    const result = await box.look(["true"], (config) => setPath(config, "network", "/no/such/ns"));
    expect(result.status).toBe(1);
    expect(result.stderr).toMatch("no such file or directory");
  });
  test("an ordinary file", async () => {
    const result = await box.look(["true"], (config) => setPath(config, "network", "/etc/passwd"));
    expect(result.status).toBe(1);
  });
  test("the same type twice", async () => {
    const result = await box.look(["true"], (config) => {
      config.linux.namespaces.push({ type: "pid" });
    });
    expect(result.status).toBe(1);
    expect(result.stderr).toMatch(/duplicate|twice/);
  });
  ours("a type that does not exist", async () => {
    const result = await box.look(["true"], (config) => {
      config.linux.namespaces.push({ type: "bogus" });
    });
    expect(result.status).toBe(1);
  });
  test("a hostname without a uts namespace", async () => {
    const result = await box.look(["true"], (config) => dropNamespace(config, "uts"));
    expect(result.status).toBe(1);
  });
  test("the host's hostname stays", () => {
    expect(readFileSync("/proc/sys/kernel/hostname", "utf8").trim()).not.toBe("tested");
  });
});

ours("without a mount namespace the mounts go with the container, and those of before stay", async () => {
  const id = box.id();
  const bundle = box.bundle(["sleep", "100"], (config) => {
    dropNamespace(config, "mount");
    delete config.linux.maskedPaths;
    delete config.linux.readonlyPaths;
    config.root.readonly = false;
    config.mounts.push({
      destination: "/etc/extra",
      type: "bind",
      source: "/etc/hostname",
      options: ["bind"],
    });
  });
  const listBelow = (): string[] =>
    readFileSync("/proc/self/mountinfo", "utf8")
      .split("\n")
      .map((line) => line.split(" ")[4] ?? "")
      .filter((path) => path.startsWith(`${bundle.rootfs}/`));
  const own = `${bundle.rootfs}/tmp`;
  execFileSync("mount", ["-t", "tmpfs", "own", own]);
  try {
    await box.ok(["create", "--bundle", bundle.directory, id]);
    expect(listBelow()).toContain(`${bundle.rootfs}/etc/extra`);
    expect(listBelow()).toContain(`${bundle.rootfs}/proc`);
    await box.ok(["delete", "--force", id]);
    expect(listBelow()).toEqual([own]);
  } finally {
    execFileSync("umount", [own]);
  }
});
