// Rootless containers where an ordinary user has cgroups: by the user's own systemd, and in a delegated subtree.
import { beforeAll, describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import type { Config } from "../e2e/config.ts";
import { type Bundle, openSandbox } from "../e2e/harness.ts";
import { installExecutable, makeUserBundle } from "../e2e/rootless.ts";

const box = openSandbox("vm-rootless");
const USER = 1000;
const hasUserManager = existsSync(`/run/user/${USER}/bus`);

let tsrunc = "";

beforeAll(() => {
  tsrunc = installExecutable(box.directory);
});

const makeBundle = (args: readonly string[], change?: (config: Config) => void): Bundle =>
  makeUserBundle(box, USER, args, change);

const ENV = [
  `XDG_RUNTIME_DIR=/run/user/${USER}`,
  `DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/${USER}/bus`,
  "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
];

function asUser(...command: readonly string[]) {
  const { exitCode, stdout, stderr } = Bun.spawnSync(
    ["runuser", "-u", "tester", "--", "env", "-i", ...ENV, ...command],
    { cwd: box.directory },
  );
  return { status: exitCode, stdout: stdout.toString(), stderr: stderr.toString() };
}

const ok = { status: 0, stderr: "" };

describe.skipIf(!hasUserManager)("an ordinary user", () => {
  test("by systemd: a scope of the user's with its limits, for the whole life of the container", () => {
    const id = box.id();
    const { directory } = makeBundle(["sleep", "1000"], (config) => {
      config.linux.cgroupsPath = `user.slice:tsrunc:${id}`;
      config.linux.resources = { memory: { limit: 64 * 1024 * 1024 }, pids: { limit: 40 } };
    });
    const call = (...args: string[]) => asUser(tsrunc, ...args);
    const create = `${tsrunc} --systemd-cgroup create --bundle ${directory} ${id} >/dev/null 2>${directory}/errors`;
    expect(asUser("sh", "-c", create).status).toBe(0);
    expect(call("start", id)).toMatchObject(ok);
    const { pid } = JSON.parse(call("state", id).stdout) as { pid: number };
    const cgroup = `/user.slice/user-${USER}.slice/user@${USER}.service/user.slice/tsrunc-${id}.scope`;
    expect(readFileSync(`/proc/${pid}/cgroup`, "utf8")).toBe(`0::${cgroup}\n`);
    const read = (file: string): string => readFileSync(`/sys/fs/cgroup${cgroup}/${file}`, "utf8").trim();
    expect([read("memory.max"), read("pids.max")]).toEqual([String(64 * 1024 * 1024), "40"]);
    expect(call("exec", id, "cat", "/proc/self/cgroup")).toMatchObject({ ...ok, stdout: "0::/\n" });
    expect(call("update", "--pids-limit", "50", id)).toMatchObject(ok);
    expect(read("pids.max")).toBe("50");
    expect(call("pause", id)).toMatchObject(ok);
    expect(read("cgroup.freeze")).toBe("1");
    expect(call("resume", id)).toMatchObject(ok);
    expect(call("delete", "--force", id)).toMatchObject(ok);
    expect(existsSync(`/sys/fs/cgroup${cgroup}`)).toBe(false);
  });

  test("by systemd: hooks in the container are in its scope, as the container sees it", () => {
    const id = box.id();
    const look = (file: string) => ({
      path: "/bin/sh",
      args: ["sh", "-c", `cat /proc/self/cgroup >${file}`],
      env: ["PATH=/usr/bin:/bin"],
    });
    const { directory, rootfs, edit } = makeBundle(["sh", "-c", "cat /proc/self/cgroup"], (config) => {
      config.linux.cgroupsPath = `user.slice:tsrunc:${id}`;
    });
    edit((config) => {
      config.hooks = {
        createContainer: [look(`${directory}/createContainer`)],
        startContainer: [look("/tmp/startContainer")],
      };
    });
    const { status, stdout, stderr } = asUser(tsrunc, "--systemd-cgroup", "run", "--bundle", directory, id);
    expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: "0::/\n", stderr: "" });
    expect(readFileSync(`${directory}/createContainer`, "utf8")).toBe("0::/\n");
    expect(readFileSync(`${rootfs}/tmp/startContainer`, "utf8")).toBe("0::/\n");
  });

  test("by cgroupfs in a delegated subtree", () => {
    const id = box.id();
    const { directory } = makeBundle(
      ["sh", "-c", "cat /proc/self/cgroup; ls /sys/fs/cgroup | wc -l"],
      (config) => {
        config.linux.resources = { pids: { limit: 30 } };
        config.linux.namespaces = config.linux.namespaces.filter(({ type }) => type !== "cgroup");
      },
    );
    const scope = ["systemd-run", "--user", "--scope", "--quiet", "-p", "Delegate=yes"];
    const { status, stdout, stderr } = asUser(...scope, tsrunc, "run", "--bundle", directory, id);
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(stdout).toMatch(
      new RegExp(`^0::/user.slice/user-${USER}.slice/user@${USER}.service/app.slice/${id}\n`),
    );
  });

  test("outside of any delegation: without a cgroup, unless limits are asked for", () => {
    const script =
      "cat /proc/self/cgroup; touch /sys/fs/cgroup/made 2>&1; echo 0 >/sys/fs/cgroup/cgroup.procs";
    const { status, stdout } = asUser(
      tsrunc,
      "run",
      "--bundle",
      makeBundle(["sh", "-c", script]).directory,
      box.id(),
    );
    expect(status).not.toBe(0); // the shell's last command
    expect(stdout).toStartWith("0::/\n");
    const limited = makeBundle(["true"], (config) => {
      config.linux.resources = { pids: { limit: 30 } };
    });
    const refused = asUser(tsrunc, "run", "--bundle", limited.directory, box.id());
    expect(refused.status).toBe(1);
    expect(refused.stderr).toContain("the limit cannot be set: container could not join or create cgroup");
  });

  test("without a cgroup namespace, the caller's cgroups are read-only (CVE-2023-25809)", () => {
    const { directory } = makeBundle(
      ["sh", "-c", "grep ' /sys/fs/cgroup ' /proc/self/mountinfo; mkdir /sys/fs/cgroup/made"],
      (config) => {
        config.linux.namespaces = config.linux.namespaces.filter(({ type }) => type !== "cgroup");
        config.mounts.push({
          destination: "/sys/fs/cgroup",
          type: "cgroup",
          source: "cgroup",
          options: ["nosuid"],
        });
      },
    );
    const { stdout, stderr } = asUser(tsrunc, "run", "--bundle", directory, box.id());
    expect(stdout.trim().split("\n").at(-1)?.split(" ")[5]).toMatch(/^ro,/);
    expect(stderr).toContain("Read-only file system");
  });
});
