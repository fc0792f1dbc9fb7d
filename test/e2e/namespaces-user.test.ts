// User namespaces, and the combinations of new and joined ones whose order matters.
import { describe, expect, test } from "bun:test";
import { readFileSync, readlinkSync } from "node:fs";
import { addUserNamespace, dropNamespace } from "./config.ts";
import { isPeer, openSandbox, readStatus, waitFor } from "./harness.ts";
import { joinUser, links, makeHolders, parse, readOwn, setPath, show } from "./namespaces.ts";

const box = openSandbox("namespaces-user");
const holdNamespaces = makeHolders();
const ours = test.skipIf(isPeer);

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
