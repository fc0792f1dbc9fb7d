// Containers of an ordinary user, on this host without a cgroup of the user's own, and of root in a user namespace.
import { describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Config } from "./config.ts";
import { type Bundle, isPeer, openSandbox } from "./harness.ts";
import { type Answer, openUser, USER } from "./rootless.ts";

const box = openSandbox("rootless");
const ours = describe.skipIf(isPeer);
const { tsrunc, runtimeDir, spawn, asUser, makeBundle, call, create } = openUser(box);
const asUserRun = (bundle: Bundle, ...flags: string[]): Answer =>
  spawn([...asUser(), tsrunc, "run", ...flags, "--bundle", bundle.directory, box.id()]);

ours("an ordinary user", () => {
  test("runs a container as its root, who is the user outside", () => {
    const script = "id -u; cat /proc/self/uid_map /proc/self/gid_map /proc/self/setgroups; touch /made";
    const bundle = makeBundle(["sh", "-c", script]);
    const { status, stdout, stderr } = asUserRun(bundle);
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(stdout.replaceAll(/ +/g, " ")).toBe(`0\n 0 ${USER} 1\n 0 ${USER} 1\ndeny\n`);
    expect(statSync(join(bundle.rootfs, "made")).uid).toBe(USER);
  });

  test("takes one through its whole life", () => {
    const id = box.id();
    expect(create(makeBundle(["sleep", "100"]), id).status).toBe(0);
    expect(JSON.parse(call("state", id).stdout)).toMatchObject({ status: "created", id });
    expect(statSync(join(runtimeDir, "tsrunc")).mode & 0o7777).toBe(0o1700);
    expect(call("start", id)).toMatchObject({ status: 0, stderr: "" });
    expect(call("exec", id, "id", "-u")).toMatchObject({ status: 0, stdout: "0\n" });
    expect(call("exec", "--cwd", "/tmp", id, "pwd").stdout).toBe("/tmp\n");
    expect(call("list", "-q").stdout).toBe(`${id}\n`);
    expect(call("pause", id)).toMatchObject({ status: 1 });
    expect(call("kill", id, "KILL").status).toBe(0);
    for (let i = 0; i < 100 && !call("state", id).stdout.includes('"stopped"'); i++) Bun.sleepSync(20);
    expect(call("delete", id)).toMatchObject({ status: 0, stderr: "" });
    expect(existsSync(join(runtimeDir, "tsrunc", id))).toBe(false);
  });

  test("runs hooks of all kinds, and an exec before its start", () => {
    const id = box.id();
    const kinds = ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"];
    const bundle = makeBundle(["sh", "-c", "cat /tmp/startContainer; sleep 100"]);
    const record = (kind: string) => ({
      path: "/bin/sh",
      args: ["sh", "-c", `cat >${kind === "startContainer" ? "/tmp" : bundle.directory}/${kind}`],
      env: ["PATH=/usr/bin:/bin"],
    });
    bundle.edit((config) => {
      config.hooks = Object.fromEntries(kinds.map((kind) => [kind, [record(kind)]]));
    });
    expect(create(bundle, id).status).toBe(0);
    const { pid } = JSON.parse(call("state", id).stdout) as { pid: number };
    expect(call("exec", id, "id", "-u")).toMatchObject({ status: 0, stdout: "0\n", stderr: "" });
    expect(call("start", id)).toMatchObject({ status: 0, stderr: "" });
    expect(call("delete", "--force", id)).toMatchObject({ status: 0, stderr: "" });
    for (const kind of kinds) {
      const path = join(kind === "startContainer" ? join(bundle.rootfs, "tmp") : bundle.directory, kind);
      const inContainer = kind === "createContainer" || kind === "startContainer";
      expect(JSON.parse(readFileSync(path, "utf8"))).toMatchObject({
        id,
        ...(kind === "poststop" ? {} : { pid: inContainer ? 1 : pid }),
      });
    }
  });

  test("spec --rootless makes a bundle that runs", () => {
    const bundle = makeBundle(["true"]);
    spawnSync("rm", [join(bundle.directory, "config.json")]);
    const made = spawn([...asUser(), tsrunc, "spec", "--rootless"], bundle.directory);
    expect(made).toMatchObject({ status: 0, stderr: "" });
    bundle.edit((config) => {
      Object.assign(config, JSON.parse(readFileSync(join(bundle.directory, "config.json"), "utf8")));
      config.process.terminal = false;
      config.process.args = ["sh", "-c", "echo $$; ls /proc/self/fd | wc -l"];
    });
    expect(asUserRun(bundle)).toMatchObject({ status: 0, stdout: "1\n4\n", stderr: "" });
  });

  test("has no way to the host's cgroups through a read-only /sys (CVE-2023-25809)", () => {
    const bundle = makeBundle(["sh", "-c", "grep -E ' /sys[ /]' /proc/self/mountinfo"], (config) => {
      config.mounts = config.mounts.filter((m) => !m.destination.startsWith("/sys"));
      config.mounts.push({
        destination: "/sys",
        type: "none",
        source: "/sys",
        options: ["rbind", "nosuid", "noexec", "nodev", "ro"],
      });
      config.linux.namespaces = config.linux.namespaces.filter((n) => n.type !== "cgroup");
    });
    const { stdout, status } = asUserRun(bundle);
    expect(status).toBe(0);
    const lines = stdout.trim().split("\n");
    expect(lines.length).toBeGreaterThan(1);
    for (const line of lines) expect(line.split(" ")[5]).toMatch(/^ro,/);
  });

  test("a cgroup that cannot be made is done without, unless something depends on it", () => {
    expect(
      asUserRun(
        makeBundle(["true"], (config) => {
          config.linux.resources = { devices: [{ allow: false, access: "rwm" }] };
        }),
      ),
    ).toMatchObject({ status: 0, stderr: "" });
    const limited = asUserRun(
      makeBundle(["true"], (config) => {
        config.linux.resources = { pids: { limit: 10 } };
      }),
    );
    expect(limited.status).toBe(1);
    expect(limited.stderr).toContain("linux.resources.pids.limit: the limit cannot be set");
    const placed = asUserRun(
      makeBundle(["true"], (config) => {
        config.linux.cgroupsPath = "/somewhere/else";
      }),
    );
    expect(placed.status).toBe(1);
    expect(placed.stderr).toMatch(/linux.cgroupsPath: .*permission denied/);
  });

  test.each([
    [
      "no user namespace",
      (config: Config) => {
        config.linux.namespaces = config.linux.namespaces.filter((n) => n.type !== "user");
        delete config.linux.uidMappings;
        delete config.linux.gidMappings;
      },
      "rootless container requires user namespaces",
    ],
    [
      "groups",
      (config: Config) => {
        config.process.user.additionalGids = [0];
      },
      "process.user.additionalGids: cannot set any additional groups in a rootless container",
    ],
    [
      "an id of a mount that is not mapped",
      (config: Config) => {
        config.mounts.push({ destination: "/mnt", type: "tmpfs", source: "t", options: ["gid=5"] });
      },
      "options: cannot specify gid=5 for an unmapped gid in a rootless container",
    ],
    [
      "ids that are not the user's",
      (config: Config) => {
        config.linux.uidMappings = [{ containerID: 0, hostID: 0, size: 1 }];
      },
      "linux.uidMappings: newuidmap ",
    ],
  ])("is refused %s", (_, change, text) => {
    const { status, stderr } = asUserRun(makeBundle(["true"], change));
    expect(status).toBe(1);
    expect(stderr).toContain(text);
  });
});

/** newuidmap(1) looks into /etc: files of the test's own are there in a mount namespace of its own. */
function inSubIds(command: readonly string[]): string[] {
  const files = { passwd: `someone:x:${USER}:${USER}::/:/bin/sh\n`, subuid: "someone:200000:1000\n" };
  const subgid = files.subuid;
  for (const [name, text] of Object.entries({ ...files, subgid }))
    writeFileSync(join(box.directory, name), text);
  const binds = ["passwd", "subuid", "subgid"].map(
    (name) => `mount --bind ${join(box.directory, name)} /etc/${name}`,
  );
  return ["unshare", "-m", "sh", "-c", [...binds, 'exec "$@"'].join(" && "), "sh", ...command];
}

ours("an ordinary user with subordinate ids", () => {
  test.skipIf(!Bun.which("newuidmap"))("has further users in the container", () => {
    const map = [
      { containerID: 0, hostID: USER, size: 1 },
      { containerID: 1, hostID: 200000, size: 999 },
    ];
    const bundle = makeBundle(
      ["sh", "-c", "id -u; id -g; cat /proc/self/uid_map; touch /tmp/made"],
      (config) => {
        config.linux.uidMappings = map;
        config.linux.gidMappings = map;
        config.process.user = { uid: 7, gid: 8 };
      },
    );
    const { status, stdout, stderr } = spawn(
      inSubIds([...asUser(), tsrunc, "run", "--bundle", bundle.directory, box.id()]),
    );
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(stdout.replaceAll(/ +/g, " ")).toBe(`7\n8\n 0 ${USER} 1\n 1 200000 999\n`);
    const { uid, gid } = statSync(join(bundle.rootfs, "tmp/made"));
    expect([uid, gid]).toEqual([200006, 200007]);
  });
});

ours("root in a user namespace", () => {
  for (const [name, keeps] of [
    ["with one more user namespace", true],
    ["without", false],
  ] as const)
    test(name, () => {
      const bundle = makeBundle(["sh", "-c", "id -u; cat /dev/null; ls -ld /dev/null"], (config) => {
        config.linux.uidMappings = [{ containerID: 0, hostID: 0, size: 1 }];
        config.linux.gidMappings = [{ containerID: 0, hostID: 0, size: 1 }];
        if (keeps) return;
        config.linux.namespaces = config.linux.namespaces.filter((n) => n.type !== "user");
        delete config.linux.uidMappings;
        delete config.linux.gidMappings;
      });
      const run = [tsrunc, "run", "--bundle", bundle.directory, box.id()];
      const { status, stdout, stderr } = spawn([...asUser(), "unshare", "-Ur", ...run]);
      expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
      expect(stdout).toMatch(/^0\ncrw-rw-rw-/);
    });
});
