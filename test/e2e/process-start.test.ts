// The process section of config.json, seen from inside: env, cwd, args.
import { describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { isPeer, openSandbox } from "./harness.ts";

const box = openSandbox("process-start");
const ours = test.skipIf(isPeer);

describe("env", () => {
  test("is exactly the config's, and HOME from the container's passwd", async () => {
    const result = await box.look(
      ["env"],
      (config) => {
        config.process.env = ["PATH=/bin", "A=1", "EMPTY=", "SPACE= x=y "];
        config.process.user = { uid: 1000, gid: 1000 };
      },
      { env: { LEAK: "1", NODE_OPTIONS: "--max-old-space-size=100", LD_PRELOAD: "", BUN_OPTIONS: "" } },
    );
    expect(result.stdout.trimEnd().split("\n").sort()).toEqual([
      "A=1",
      "EMPTY=",
      "HOME=/home/user",
      "PATH=/bin",
      "SPACE= x=y ",
    ]);
  });
  test("HOME is / for a user without a passwd entry, and kept when given", async () => {
    const unknown = await box.look(["sh", "-c", "echo $HOME"], (config) => {
      config.process.user = { uid: 4242, gid: 4242 };
    });
    expect(unknown.stdout).toBe("/\n");
    const given = await box.look(["sh", "-c", "echo $HOME"], (config) => {
      config.process.env?.push("HOME=/given");
    });
    expect(given.stdout).toBe("/given\n");
  });
  ours("an empty HOME is replaced", async () => {
    const result = await box.look(["sh", "-c", "echo $HOME"], (config) => {
      config.process.env?.push("HOME=");
    });
    expect(result.stdout).toBe("/root\n");
  });
  ours("the last of two entries wins", async () => {
    const result = await box.look(["env"], (config) => {
      config.process.env = ["PATH=/bin", "A=1", "A=2", "HOME=/"];
    });
    expect(result.stdout.split("\n").filter((line) => line.startsWith("A="))).toEqual(["A=2"]);
  });
  ours("an entry without = or with NUL is refused", async () => {
    for (const entry of ["NOEQUALS", "A=\0b", "=x"]) {
      const result = await box.look(["true"], (config) => {
        config.process.env = [entry];
      });
      expect({ entry, status: result.status }).toEqual({ entry, status: 1 });
    }
  });
});

describe("cwd", () => {
  test("is entered", async () => {
    const result = await box.look(["pwd"], (config) => {
      config.process.cwd = "/etc";
    });
    expect(result.stdout).toBe("/etc\n");
  });
  test("is made, 0755, when it is missing", async () => {
    const result = await box.look(["sh", "-c", "pwd; stat -c %a ."], (config) => {
      config.process.cwd = "/made/by/runtime";
    });
    expect(result.stdout).toBe("/made/by/runtime\n755\n");
  });
  test("one that only the user may enter works", async () => {
    const bundle = box.bundle(["pwd"], (config) => {
      config.process.cwd = "/home/user/private";
      config.process.user = { uid: 1000, gid: 1000 };
    });
    Bun.spawnSync([
      "install",
      "-d",
      "-m",
      "700",
      "-o",
      "1000",
      "-g",
      "1000",
      join(bundle.rootfs, "home/user/private"),
    ]);
    expect((await box.run(["run", "--bundle", bundle.directory, box.id()])).stdout).toBe(
      "/home/user/private\n",
    );
  });
  test("a relative one is refused", async () => {
    const result = await box.look(["pwd"], (config) => {
      config.process.cwd = "etc";
    });
    expect(result.status).toBe(1);
    expect(result.stderr).toMatch(/cwd/i);
  });
});

describe("args", () => {
  for (const [args, text] of [
    [["nope"], 'exec: "nope": executable file not found in $PATH'],
    [["/nope"], 'exec: "/nope": stat /nope: no such file or directory'],
    [["/etc"], /exec: "\/etc": (is a directory|permission denied)/],
    [["/etc/passwd"], 'exec: "/etc/passwd": permission denied'],
  ] as const) {
    test(`create of ${args[0]} tells ${text}`, async () => {
      const result = await box.run(["create", "--bundle", box.bundle(args).directory, box.id()]);
      expect(result.status).toBe(1);
      expect(result.stderr.replaceAll('\\"', '"')).toMatch(text);
    });
  }
  test("are looked up in the container's PATH, not the caller's", async () => {
    const bundle = box.bundle(["tool"], (config) => {
      config.process.env = ["PATH=/nowhere:/usr/bin"];
    });
    writeFileSync(join(bundle.rootfs, "usr/bin/tool"), "#!/bin/sh\necho found\n", { mode: 0o755 });
    expect((await box.run(["run", "--bundle", bundle.directory, box.id()])).stdout).toBe("found\n");
  });
  test("a file that cannot be executed is passed over in PATH", async () => {
    const bundle = box.bundle(["tool"], (config) => {
      config.process.env = ["PATH=/tmp:/usr/bin"];
    });
    writeFileSync(join(bundle.rootfs, "tmp/tool"), "not executable", { mode: 0o644 });
    writeFileSync(join(bundle.rootfs, "usr/bin/tool"), "#!/bin/sh\necho found\n", { mode: 0o755 });
    expect((await box.run(["run", "--bundle", bundle.directory, box.id()])).stdout).toBe("found\n");
  });
  test("a relative path with a slash counts from cwd", async () => {
    const result = await box.look(["./busybox", "echo", "here"], (config) => {
      config.process.cwd = "/bin";
    });
    expect(result.stdout).toBe("here\n");
  });
  test("an interpreter that does not exist", async () => {
    const bundle = box.bundle(["/tmp/script"]);
    writeFileSync(join(bundle.rootfs, "tmp/script"), "#!/no/such/interpreter\n", { mode: 0o755 });
    const result = await box.run(["run", "--bundle", bundle.directory, box.id()]);
    expect(result.status).toBe(1);
    if (!isPeer) expect(result.stderr).toMatch("no such file or directory");
  });
  ours("start tells why execve failed", async () => {
    const bundle = box.bundle(["/tmp/garbage"]);
    writeFileSync(join(bundle.rootfs, "tmp/garbage"), "\x7fELFgarbage", { mode: 0o755 });
    const id = box.id();
    await box.ok(["create", "--bundle", bundle.directory, id]);
    const result = await box.run(["start", id]);
    expect(result.status).toBe(1);
    expect(result.stderr).toMatch("exec format error");
    await box.ok(["delete", "--force", id]);
  });
  test("an empty list is refused", async () => {
    expect((await box.look([])).status).toBe(1);
  });
});
