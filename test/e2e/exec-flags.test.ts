// `exec`: the flags that say what the process is.
import { expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Config } from "./config.ts";
import { openExecSandbox, readField } from "./exec.ts";
import { isPeer, waitFor } from "./harness.ts";

const { box, exec } = openExecSandbox("exec-flags");
const ours = test.skipIf(isPeer);

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

test("--user without a group keeps the container's, as runc does", async () => {
  expect((await exec(["-u", "1000", "ID", "sh", "-c", "id -u; id -g"])).stdout).toBe("1000\n0\n");
  const id = box.id();
  const bundle = box.bundle(["sleep", "1000"], (config) => {
    config.process.user = { uid: 1000, gid: 1001, additionalGids: [5] };
  });
  await box.ok(["run", "--detach", "--bundle", bundle.directory, id]);
  const { stdout } = await box.ok(["exec", "-u", "2000", id, "sh", "-c", "id -u; id -g; id -G"]);
  expect(stdout).toBe("2000\n1001\n1001 5\n");
  await box.ok(["delete", "--force", id]);
});

test("--process without capabilities keeps the container's", async () => {
  const id = box.id();
  await box.ok(["run", "--detach", "--bundle", box.bundle(["sleep", "1000"]).directory, id]);
  const file = join(box.directory, "process.json");
  const args = ["sh", "-c", "grep Cap /proc/self/status"];
  const process = { args, cwd: "/", env: ["PATH=/bin"], user: { uid: 0, gid: 0 } };
  writeFileSync(file, JSON.stringify(process));
  const told = (await box.ok(["exec", "--process", file, id])).stdout;
  expect(told).toBe((await box.ok(["exec", id, ...args])).stdout);
  if (!isPeer) {
    writeFileSync(file, JSON.stringify({ ...process, capabilities: {} }));
    expect((await box.ok(["exec", "--process", file, id])).stdout).toMatch(/^CapBnd:\t0+$/m);
  }
  await box.ok(["delete", "--force", id]);
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

test("an unknown flag after the id belongs to the command", async () => {
  expect((await exec(["ID", "echo", "--user", "-t"])).stdout).toBe("--user -t\n");
});

test("a missing cwd is an error, not created", async () => {
  const result = await exec(["--cwd", "/not/there", "ID", "true"]);
  expect(result.status).toBe(255);
  expect(result.stderr).toMatch("no such file or directory");
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
