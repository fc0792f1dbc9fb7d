// Namespaces: new, joined by path and inherited, each type; what is refused.
import { describe, expect, test } from "bun:test";
import { execFileSync } from "node:child_process";
import { readFileSync, readlinkSync } from "node:fs";
import { addUserNamespace, type Config, dropNamespace } from "./config.ts";
import { isPeer, openSandbox } from "./harness.ts";
import { links, makeHolders, parse, readOwn, setPath, show } from "./namespaces.ts";

const box = openSandbox("namespaces");
const holdNamespaces = makeHolders();
const ours = test.skipIf(isPeer);

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
