// `exec`: what a second process gets, its streams and terminal, and its exit statuses.
import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { grantCapability } from "./config.ts";
import { openExecSandbox, readField } from "./exec.ts";
import { isPeer } from "./harness.ts";
import { openConsoleReceiver } from "./terminals.ts";

const { box, exec } = openExecSandbox("exec");
const ours = test.skipIf(isPeer);

describe("the exit status", () => {
  for (const status of [0, 3, 255]) {
    test(`${status} is the process's own`, async () => {
      expect((await exec(["ID", "sh", "-c", `exit ${status}`])).status).toBe(status);
    });
  }
  test("is 128 and the number after a signal", async () => {
    expect((await exec(["ID", "sh", "-c", "kill -TERM $$"])).status).toBe(143);
    expect((await exec(["ID", "sh", "-c", "kill -KILL $$"])).status).toBe(137);
  });
  for (const [args, text] of [
    [["nope"], 'exec: "nope": executable file not found in $PATH'],
    [["/nope"], /exec: "\/nope": stat \/nope: no such file or directory/],
    [["/etc"], /is a directory|permission denied/],
    [["/etc/passwd"], 'exec: "/etc/passwd": permission denied'],
  ] as const) {
    test(`is 255 for ${args[0]}`, async () => {
      const result = await exec(["ID", ...args]);
      expect(result.stderr.replaceAll('\\"', '"')).toMatch(text);
      expect(result.status).toBe(255);
    });
  }
  test("is 255 without a command", async () => {
    expect((await exec(["ID"])).status).toBe(255);
  });
});

test("shares the container's namespaces and cgroups", async () => {
  const id = box.id();
  await box.ok(["run", "-d", "--bundle", box.bundle(["sleep", "100"]).directory, id]);
  const script =
    "for n in pid net ipc uts mnt cgroup; do readlink /proc/self/ns/$n; readlink /proc/1/ns/$n; done";
  const lines = (await box.ok(["exec", id, "sh", "-c", script])).stdout.trim().split("\n");
  expect(lines.length).toBe(12);
  for (let i = 0; i < lines.length; i += 2) expect(lines[i]).toBe(lines[i + 1] ?? "");
  const cgroups = await box.ok(["exec", id, "cat", "/proc/self/cgroup", "/proc/1/cgroup"]);
  const half = cgroups.stdout.trim().split("\n");
  expect(half.slice(0, half.length / 2)).toEqual(half.slice(half.length / 2));
  await box.ok(["delete", "--force", id]);
});

test("inherits env, cwd, user, capabilities, no_new_privs and limits from the config", async () => {
  const result = await exec(
    ["ID", "sh", "-c", "pwd; id -u; id -g; echo $MINE; ulimit -n; cat /proc/self/status"],
    (config) => {
      config.process.cwd = "/tmp";
      config.process.user = { uid: 1000, gid: 1000, additionalGids: [7] };
      config.process.env?.push("MINE=yes");
      config.process.rlimits = [{ type: "RLIMIT_NOFILE", soft: 77, hard: 77 }];
    },
  );
  const [cwd, uid, gid, mine, files, ...rest] = result.stdout.split("\n");
  expect([cwd, uid, gid, mine, files]).toEqual(["/tmp", "1000", "1000", "yes", "77"]);
  const status = rest.join("\n");
  expect(readField(status, "NoNewPrivs")).toBe("1");
  expect(readField(status, "Groups")).toMatch(/^(7|1000 7|7 1000)\s*$/);
  expect(readField(status, "CapInh")).toBe("0000000000000000");
});

test("standard streams are the caller's", async () => {
  const result = await exec(["ID", "sh", "-c", "cat; echo err >&2"], undefined, { stdin: "in" });
  expect([result.stdout, result.stderr]).toEqual(["in", "err\n"]);
});

test("--preserve-fds hands over what the caller opened", async () => {
  const prefix = ["sh", "-c", 'exec 3</etc/hostname 4</etc/passwd; exec "$@"', "sh"];
  const result = await exec(["--preserve-fds", "2", "ID", "sh", "-c", "ls /proc/$$/fd"], undefined, {
    prefix,
  });
  const fds = result.stdout.trim().split("\n");
  expect(fds).toContain("3");
  expect(fds).toContain("4");
});

test("--tty with --console-socket and --detach", async () => {
  const id = box.id();
  await box.ok(["run", "-d", "--bundle", box.bundle(["sleep", "100"]).directory, id]);
  const socket = join(box.directory, "exec.sock");
  const receiver = await openConsoleReceiver(socket);
  await box.ok([
    "exec",
    "-t",
    "-d",
    "--console-socket",
    socket,
    id,
    "sh",
    "-c",
    "tty; test -t 0 && echo terminal",
  ]);
  await receiver.expect(/\/dev\/pts\/\d+[\r\n]+terminal/);
  receiver.close();
  await box.ok(["delete", "--force", id]);
});

test("--tty --detach without --console-socket is refused", async () => {
  const result = await exec(["-t", "-d", "ID", "true"]);
  expect(result.stderr).toMatch(/cannot allocate tty if \S+ will detach without setting console socket/);
  expect(result.status).toBe(255);
});

test("--console-socket without a terminal is refused", async () => {
  const result = await exec(["--console-socket", "/x", "ID", "true"]);
  expect(result.stderr).toMatch(/cannot use console socket if \S+ will not detach or allocate tty/);
});

test("the exec'ed process is not in the caller's session", async () => {
  const own = Bun.spawnSync(["sh", "-c", "cut -d' ' -f6 /proc/self/stat"]).stdout.toString();
  const result = await exec(["ID", "sh", "-c", "cut -d' ' -f6 /proc/$$/stat"], (config) =>
    grantCapability(config, "CAP_SYS_PTRACE"),
  );
  expect(result.stdout.trim()).not.toBe(own.trim());
});

ours("exec ends with its process although a child keeps the output open", async () => {
  const start = Date.now();
  const result = await exec(["ID", "sh", "-c", "sleep 50 & echo done"]);
  expect(result.stdout).toBe("done\n");
  expect(Date.now() - start).toBeLessThan(10_000);
});
