// `exec`: what a second process gets, its flags, and its exit statuses.
import { describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Config, grantCapability } from "./config.ts";
import { isPeer, openSandbox, type RunOptions, waitFor } from "./harness.ts";
import { openConsoleReceiver } from "./terminals.ts";

const box = openSandbox("exec");
const ours = test.skipIf(isPeer);

/** Runs the flags and command by `exec` in a new container that is running, and removes it. */
async function exec(words: readonly string[], change?: (config: Config) => void, options?: RunOptions) {
  const id = box.id();
  await box.ok(["run", "-d", "--bundle", box.bundle(["sleep", "100"], change).directory, id]);
  const place = words.indexOf("ID");
  const result = await box.run(["exec", ...words.slice(0, place), id, ...words.slice(place + 1)], options);
  await box.ok(["delete", "--force", id]);
  return result;
}

const readField = (status: string, name: string): string =>
  status.match(new RegExp(`^${name}:\\s*(.*)$`, "m"))?.[1] ?? "absent";

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

test("--cwd, --env and --user", async () => {
  const result = await exec([
    "--cwd",
    "/etc",
    "--env",
    "A=1",
    "--env",
    "B=2",
    "--user",
    "1000:7",
    "ID",
    "sh",
    "-c",
    "pwd; echo $A$B; id -u; id -g",
  ]);
  expect(result.stdout).toBe("/etc\n12\n1000\n7\n");
});

test("--user without a group means group 0", async () => {
  expect((await exec(["-u", "1000", "ID", "sh", "-c", "id -u; id -g"])).stdout).toBe("1000\n0\n");
});

const strict = [
  " 1",
  "1 ",
  "0x1",
  "1e3",
  "1.0",
  "",
  "1:",
  ":1",
  "-1",
  "1:-1",
  "4294967295",
  "4294967296",
  "1:4294967295",
  "1:4294967296",
  "1:1:1",
  "root",
  "+1",
  "1_0",
  "18446744073709551616",
];
for (const user of strict) {
  ours(`--user ${JSON.stringify(user)} is refused`, async () => {
    const result = await exec([`--user=${user}`, "ID", "id", "-u"]);
    expect(result.stdout).toBe("");
    expect(result.status).toBe(255);
  });
}
ours("--user takes the highest id", async () => {
  expect((await exec(["--user=4294967294:4294967294", "ID", "sh", "-c", "id -u; id -g"])).stdout).toBe(
    "4294967294\n4294967294\n",
  );
});

test("--additional-gids adds groups", async () => {
  const result = await exec(["-g", "5", "-g", "6", "ID", "cat", "/proc/self/status"]);
  expect(
    readField(result.stdout, "Groups")
      .trim()
      .split(" ")
      .filter((g) => g !== "0"),
  ).toEqual(["5", "6"]);
});

test("--cap adds to bounding, effective and permitted, never to inheritable", async () => {
  const result = await exec(["--cap", "CAP_SYS_ADMIN", "ID", "cat", "/proc/self/status"]);
  const has = (set: string): boolean => ((BigInt(`0x${readField(result.stdout, set)}`) >> 21n) & 1n) === 1n;
  expect([has("CapBnd"), has("CapEff"), has("CapPrm"), has("CapInh")]).toEqual([true, true, true, false]);
  expect(readField(result.stdout, "CapInh")).toBe("0000000000000000");
});

test("--no-new-privs", async () => {
  const change = (config: Config): void => {
    config.process.noNewPrivileges = false;
  };
  expect(readField((await exec(["ID", "cat", "/proc/self/status"], change)).stdout, "NoNewPrivs")).toBe("0");
  const strictly = await exec(["--no-new-privs", "ID", "cat", "/proc/self/status"], change);
  expect(readField(strictly.stdout, "NoNewPrivs")).toBe("1");
});

test("--process takes everything from a file", async () => {
  const file = join(box.directory, "process.json");
  writeFileSync(
    file,
    JSON.stringify({
      args: ["sh", "-c", "pwd; id -u; echo $ONLY; umask"],
      cwd: "/tmp",
      env: ["PATH=/bin", "ONLY=this"],
      user: { uid: 12, gid: 34, umask: 0o77 },
    }),
  );
  expect((await exec(["--process", file, "ID"])).stdout).toBe(
    `/tmp\n12\nthis\n${isPeer ? "0022" : "0077"}\n`,
  );
});

test("--detach returns at once, with the pid in --pid-file", async () => {
  const id = box.id();
  const file = join(box.directory, "exec.pid");
  await box.ok(["run", "-d", "--bundle", box.bundle(["sleep", "100"]).directory, id]);
  await box.ok(["exec", "-d", "--pid-file", file, id, "sleep", "99"]);
  const text = readFileSync(file, "utf8");
  expect(text).toMatch(/^[1-9][0-9]*$/);
  await waitFor("the process", () => readFileSync(`/proc/${text}/cmdline`, "utf8") === "sleep\u000099\u0000");
  await box.ok(["delete", "--force", id]);
});

test("standard streams are the caller's", async () => {
  const result = await exec(["ID", "sh", "-c", "cat; echo err >&2"], undefined, { stdin: "in" });
  expect([result.stdout, result.stderr]).toEqual(["in", "err\n"]);
});

test("an unknown flag after the id belongs to the command", async () => {
  expect((await exec(["ID", "echo", "--user", "-t"])).stdout).toBe("--user -t\n");
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

test("a missing cwd is an error, not created", async () => {
  const result = await exec(["--cwd", "/not/there", "ID", "true"]);
  expect(result.status).toBe(255);
  expect(result.stderr).toMatch("no such file or directory");
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

ours("both spellings of a repeated flag may be mixed", async () => {
  const result = await exec([
    "-e",
    "A=1",
    "--env",
    "B=2",
    "-g",
    "5",
    "--additional-gids=6",
    "ID",
    "sh",
    "-c",
    "echo $A$B; id -G",
  ]);
  expect(result.stdout).toBe("12\n0 5 6\n");
});

for (const flags of [[], ["--detach"]])
  test(`a pid file that cannot be written leaves no process behind (${flags.join("") || "foreground"})`, async () => {
    const id = box.id();
    await box.ok(["run", "--detach", "--bundle", box.bundle(["sleep", "100"]).directory, id]);
    const pidFile = join(box.directory, "nowhere/pid");
    const result = await box.run(["exec", ...flags, "--pid-file", pidFile, id, "sleep", "50"]);
    expect(result.status).toBe(255);
    expect((await box.ok(["exec", id, "ps"])).stdout).not.toContain("sleep 50");
    await box.ok(["delete", "--force", id]);
  });
