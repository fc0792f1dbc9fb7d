// The process section of config.json, seen from inside.
import { describe, expect, test } from "bun:test";
import { execFileSync } from "node:child_process";
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { addUserNamespace, type Config, defaultCapabilities } from "./config.ts";
import { executable, isPeer, openSandbox, type RunOptions } from "./harness.ts";
import { compileProgram } from "./native.ts";

const box = openSandbox("process");
const ours = test.skipIf(isPeer);
const hasMorePrivilege = /CapBnd:\s*000001ffffffffff/.test(readFileSync("/proc/self/status", "utf8"));

async function readStatusFile(
  change?: (config: Config) => void,
  options?: RunOptions,
): Promise<Map<string, string>> {
  const result = await box.look(["cat", "/proc/self/status"], change, options);
  expect(result.stderr).toBe("");
  return new Map(
    result.stdout.split("\n").map((line) => {
      const place = line.indexOf(":");
      return [line.slice(0, place), line.slice(place + 1).trim()] as [string, string];
    }),
  );
}

describe("user", () => {
  test("uid, gid and additionalGids", async () => {
    const status = await readStatusFile((config) => {
      config.process.user = { uid: 1000, gid: 1001, additionalGids: [5, 6] };
    });
    expect(status.get("Uid")).toBe("1000\t1000\t1000\t1000");
    expect(status.get("Gid")).toBe("1001\t1001\t1001\t1001");
    expect(
      status
        .get("Groups")
        ?.split(" ")
        .filter((g) => g !== "1001"),
    ).toEqual(["5", "6"]);
  });
  test("the caller's supplementary groups are gone", async () => {
    const status = await readStatusFile(undefined, {
      prefix: ["python3", "-c", "import os,sys; os.setgroups([77,88]); os.execvp(sys.argv[1], sys.argv[1:])"],
    });
    expect(status.get("Groups")).not.toMatch(/77|88/);
  });
  test("the umask, by default 0022 whatever the caller's", async () => {
    const prefix = ["sh", "-c", 'umask 077; exec "$@"', "sh"];
    expect((await readStatusFile(undefined, { prefix })).get("Umask")).toBe("0022");
    const status = await readStatusFile((config) => {
      config.process.user.umask = 0o027;
    });
    expect(status.get("Umask")).toBe("0027");
  });
  ours("an id that is no 32-bit number is refused", async () => {
    for (const uid of [4294967296, -1, 1.5, "0", null]) {
      const result = await box.look(["id"], (config) => {
        config.process.user.uid = uid as number;
      });
      expect(result.status).toBe(1);
      expect(result.stderr).toMatch(/process\.user\.uid/);
    }
  });
});

describe("capabilities", () => {
  const bits = { CAP_CHOWN: 0, CAP_DAC_OVERRIDE: 1, CAP_KILL: 5, CAP_SETUID: 7, CAP_NET_RAW: 13 };
  const mask = (...names: (keyof typeof bits)[]): string =>
    names
      .reduce((sum, name) => sum | (1n << BigInt(bits[name])), 0n)
      .toString(16)
      .padStart(16, "0");
  for (const uid of [0, 1000]) {
    test(`the five sets for uid ${uid}`, async () => {
      const status = await readStatusFile((config) => {
        config.process.user = { uid, gid: uid };
        config.process.noNewPrivileges = false;
        config.process.capabilities = {
          bounding: ["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_KILL", "CAP_SETUID"],
          permitted: ["CAP_CHOWN", "CAP_KILL", "CAP_SETUID"],
          effective: ["CAP_CHOWN", "CAP_KILL"],
          inheritable: ["CAP_KILL"],
          ambient: ["CAP_KILL"],
        };
      });
      expect(status.get("CapBnd")).toBe(mask("CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_KILL", "CAP_SETUID"));
      expect(status.get("CapInh")).toBe(mask("CAP_KILL"));
      expect(status.get("CapAmb")).toBe(mask("CAP_KILL"));
      // execve gives root all that its bounding and inheritable sets have, a user only the ambient ones.
      const root = mask("CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_KILL", "CAP_SETUID");
      expect(status.get("CapPrm")).toBe(uid === 0 ? root : mask("CAP_KILL"));
      expect(status.get("CapEff")).toBe(uid === 0 ? root : mask("CAP_KILL"));
    });
  }
  test("none at all when the lists are empty", async () => {
    const status = await readStatusFile((config) => {
      config.process.capabilities = { bounding: [], effective: [], permitted: [] };
    });
    for (const set of ["CapBnd", "CapEff", "CapPrm", "CapInh", "CapAmb"])
      expect(status.get(set)).toBe(mask());
  });
  ours("none at all without the section", async () => {
    const status = await readStatusFile((config) => {
      delete config.process.capabilities;
    });
    for (const set of ["CapEff", "CapPrm", "CapInh", "CapAmb"]) expect(status.get(set)).toBe(mask());
  });
  test("an unknown name is a warning in the log, the rest is set", async () => {
    const log = join(box.directory, "caps.log");
    const { directory } = box.bundle(["cat", "/proc/self/status"], (config) => {
      config.process.capabilities = { bounding: ["CAP_CHOWN", "CAP_BOGUS"], effective: [], permitted: [] };
    });
    const result = await box.run([
      "--log",
      log,
      "--log-format",
      "json",
      "run",
      "--bundle",
      directory,
      box.id(),
    ]);
    expect(result.status).toBe(0);
    expect(result.stdout).toMatch(`CapBnd:\t${mask("CAP_CHOWN")}`);
    const entries = readFileSync(log, "utf8")
      .trimEnd()
      .split("\n")
      .map((l) => JSON.parse(l) as { level: string; msg: string });
    expect(entries.filter((e) => e.level === "warning" && e.msg.includes("CAP_BOGUS")).length).toBe(1);
  });
  test.skipIf(isPeer || hasMorePrivilege)(
    "one that this host cannot grant is a warning, the rest is set",
    async () => {
      const result = await box.look(["cat", "/proc/self/status"], (config) => {
        const names = [...defaultCapabilities, "CAP_SYS_RESOURCE"];
        config.process.capabilities = {
          bounding: names,
          effective: names,
          permitted: names,
          inheritable: names,
          ambient: names,
        };
      });
      expect(result.status).toBe(0);
      expect(result.stdout).toMatch(/^CapBnd:\t00000000a80425fb$/m);
      expect(result.stdout).toMatch(/^CapAmb:\t00000000a80425fb$/m);
    },
  );
});

test("noNewPrivileges", async () => {
  for (const value of [true, false]) {
    const status = await readStatusFile((config) => {
      config.process.noNewPrivileges = value;
    });
    expect(status.get("NoNewPrivs")).toBe(value ? "1" : "0");
  }
});

describe("rlimits", () => {
  ours(
    "without a limit of open files the caller's soft limit holds, which the engine has raised",
    async () => {
      const bundle = box.bundle(["sh", "-c", "ulimit -Sn; ulimit -Hn"], (config) => {
        delete config.process.rlimits;
      });
      const script = `ulimit -Sn 333; "$0" --root "$1" run --bundle "$2" "$3"; exit $?`;
      const words = ["-c", script, executable, box.root, bundle.directory, box.id()];
      const [soft, hard] = execFileSync("bash", words, { encoding: "utf8" }).trim().split("\n");
      expect(soft).toBe("333");
      expect(Number(hard)).toBeGreaterThan(333);
    },
  );
  test("soft and hard limits are set, above the caller's hard limit too", async () => {
    const result = await box.look(["cat", "/proc/self/limits"], (config) => {
      config.process.rlimits = [
        { type: "RLIMIT_NOFILE", soft: 100, hard: 200 },
        { type: "RLIMIT_CORE", soft: 0, hard: 4096 },
        { type: "RLIMIT_NPROC", soft: 300, hard: 300 },
      ];
    });
    expect(result.stdout).toMatch(/^Max open files\s+100\s+200/m);
    expect(result.stdout).toMatch(/^Max core file size\s+0\s+4096/m);
    expect(result.stdout).toMatch(/^Max processes\s+300\s+300/m);
  });
  test("18446744073709551615 is unlimited, exactly", async () => {
    const bundle = box.bundle(["cat", "/proc/self/limits"], (config) => {
      config.process.rlimits = [{ type: "RLIMIT_CORE", soft: "MAX", hard: "MAX" }];
    });
    const file = join(bundle.directory, "config.json");
    writeFileSync(file, readFileSync(file, "utf8").replaceAll('"MAX"', "18446744073709551615"));
    const result = await box.run(["run", "--bundle", bundle.directory, box.id()]);
    expect(result.stdout).toMatch(/^Max core file size\s+unlimited\s+unlimited/m);
  });
  ours("numbers above 2^53 are exact", async () => {
    const bundle = box.bundle(["cat", "/proc/self/limits"], (config) => {
      config.process.rlimits = [{ type: "RLIMIT_FSIZE", soft: "BIG", hard: "BIG" }];
    });
    const file = join(bundle.directory, "config.json");
    writeFileSync(file, readFileSync(file, "utf8").replaceAll('"BIG"', "9007199254740993"));
    const result = await box.run(["run", "--bundle", bundle.directory, box.id()]);
    expect(result.stdout).toMatch(/^Max file size\s+9007199254740993\s+9007199254740993/m);
  });
  test("an unknown kind is refused", async () => {
    const result = await box.look(["true"], (config) => {
      config.process.rlimits = [{ type: "RLIMIT_BOGUS", soft: 1, hard: 1 }];
    });
    expect(result.status).toBe(1);
    expect(result.stderr).toMatch("RLIMIT_BOGUS");
  });
  ours("the same kind twice is refused", async () => {
    const result = await box.look(["true"], (config) => {
      const limit = { type: "RLIMIT_CORE", soft: 1, hard: 1 };
      config.process.rlimits = [limit, limit];
    });
    expect(result.status).toBe(1);
  });
  ours("soft above hard is refused", async () => {
    const result = await box.look(["true"], (config) => {
      config.process.rlimits = [{ type: "RLIMIT_CORE", soft: 2, hard: 1 }];
    });
    expect(result.status).toBe(1);
  });
});

describe("oomScoreAdj", () => {
  test("is set, in a user namespace too", async () => {
    for (const change of [() => undefined, addUserNamespace]) {
      const result = await box.look(["cat", "/proc/self/oom_score_adj"], (config) => {
        change(config);
        config.process.oomScoreAdj = 123;
      });
      expect(result.stdout).toBe("123\n");
    }
  });
  test("is inherited when absent", async () => {
    const prefix = ["sh", "-c", 'echo 77 >/proc/self/oom_score_adj; exec "$@"', "sh"];
    expect((await box.look(["cat", "/proc/self/oom_score_adj"], undefined, { prefix })).stdout).toBe("77\n");
  });
});

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

describe("inherited attributes are reset", () => {
  ours("ignored and blocked signals", async () => {
    const prefix = [
      "python3",
      "-c",
      "import os,signal,sys\nfor s in (1,13,15,17): signal.signal(s, signal.SIG_IGN)\nsignal.pthread_sigmask(signal.SIG_BLOCK, {10,12,14,40})\nos.execvp(sys.argv[1], sys.argv[1:])",
    ];
    const status = await readStatusFile(undefined, { prefix });
    expect([status.get("SigIgn"), status.get("SigBlk"), status.get("SigCgt")]).toEqual([
      "0000000000000000",
      "0000000000000000",
      "0000000000000000",
    ]);
  });
  ours("nice", async () => {
    const result = await box.look(["sh", "-c", "cut -d' ' -f19 /proc/$$/stat"], undefined, {
      prefix: ["nice", "-n", "5"],
    });
    expect(result.stdout).toBe("0\n");
  });
  ours("CPU affinity", async () => {
    const own = readFileSync("/proc/self/status", "utf8").match(/^Cpus_allowed_list:\s*(.*)$/m)?.[1];
    const status = await readStatusFile(undefined, { prefix: ["taskset", "-c", "0"] });
    expect(status.get("Cpus_allowed_list")).toBe(own ?? "");
  });
  test("the caller's standard streams keep their flags", async () => {
    // A pipe shared with the caller: O_NONBLOCK on it would reach the caller too.
    const script =
      "import os,sys,fcntl,subprocess\nr,w=os.pipe()\np=subprocess.run(sys.argv[1:],stdin=r,stdout=w,stderr=w)\nprint(fcntl.fcntl(w,fcntl.F_GETFL)&os.O_NONBLOCK, fcntl.fcntl(r,fcntl.F_GETFL)&os.O_NONBLOCK, p.returncode)";
    const result = await box.look(["true"], undefined, { prefix: ["python3", "-c", script] });
    expect(result.stdout).toBe("0 0 0\n");
  });
});

describe("scheduling", () => {
  ours("scheduler", async () => {
    const result = await box.look(["sh", "-c", "cut -d' ' -f19,41 /proc/$$/stat"], (config) => {
      config.process.scheduler = { policy: "SCHED_BATCH", nice: 7 };
    });
    expect(result.stderr).toBe("");
    expect(result.stdout).toBe("7 3\n");
  });
  ours("ioPriority", async () => {
    const result = await box.look(["ionice"], (config) => {
      config.process.ioPriority = { class: "IOPRIO_CLASS_BE", priority: 6 };
    });
    expect(result.stdout).toMatch(/best-effort: prio 6/);
  });
  ours("execCPUAffinity holds for exec only", async () => {
    const id = box.id();
    const { directory } = box.bundle(["sleep", "100"], (config) => {
      config.process.execCPUAffinity = { initial: "0", final: "0" };
    });
    await box.ok(["run", "-d", "--bundle", directory, id]);
    const list = "grep Cpus_allowed_list";
    const inside = await box.ok(["exec", id, "sh", "-c", `${list} /proc/self/status`]);
    expect(inside.stdout).toMatch(/:\s*0$/m);
    await box.ok(["delete", "--force", id]);
  });
  ours("personality LINUX32", async () => {
    const result = await box.look(["uname", "-m"], (config) => {
      config.linux.personality = { domain: "LINUX32" };
    });
    expect(result.stdout).toMatch(/^(i686|armv8l)\n$/);
  });
});

describe("the session keyring", () => {
  const keyctl = (): string =>
    compileProgram(
      box.directory,
      "keyring",
      `#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>
int main(void) {
  char text[200] = "";
  long id = syscall(SYS_keyctl, 0L, -3L, 0L);
  syscall(SYS_keyctl, 6L, id, text, sizeof text);
  printf("%ld %s\\n", id, text);
  return 0;
}
`,
    );
  async function readKeyring(flags: readonly string[]): Promise<{ id: string; text: string }> {
    const bundle = box.bundle(["/bin/keyring"]);
    copyFileSync(keyctl(), join(bundle.rootfs, "bin/keyring"));
    const id = box.id();
    const result = await box.ok(["run", ...flags, "--bundle", bundle.directory, id]);
    return { id, text: result.stdout };
  }
  test("is new and named after the container", async () => {
    const { id, text } = await readKeyring([]);
    expect(text).toMatch(`;_ses.${id}`);
  });
  test("--no-new-keyring keeps the caller's", async () => {
    const { text } = await readKeyring(["--no-new-keyring"]);
    const own = Bun.spawnSync([keyctl()]).stdout.toString();
    expect(text).not.toMatch("e2e-process");
    expect(text.split(" ")[0]).toBe(own.split(" ")[0] ?? "");
  });
});

describe("descriptors", () => {
  const list = ["sh", "-c", "ls /proc/$$/fd; true"];
  const open = (text: string): string[] => ["sh", "-c", `exec ${text}; exec "$@"`, "sh"];
  // busybox's sh opens nothing of its own when run with -c, except 10 for the terminal, which is not there.
  const parse = (text: string): number[] => text.trim().split("\n").map(Number);

  test("only the standard three are there", async () => {
    const result = await box.look(list, undefined, { prefix: open("3</etc 4</etc/passwd 9</") });
    expect(parse(result.stdout)).toEqual([0, 1, 2]);
  });
  test("--preserve-fds keeps those that the caller opened", async () => {
    const bundle = box.bundle(["sh", "-c", "ls /proc/$$/fd; cat <&4"]);
    writeFileSync(join(box.directory, "passed"), "passed");
    const prefix = open(`3</etc/passwd 4<${join(box.directory, "passed")} 5</etc/group`);
    const result = await box.run(["run", "--preserve-fds", "2", "--bundle", bundle.directory, box.id()], {
      prefix,
    });
    expect(result.stdout).toBe("0\n1\n2\n3\n4\npassed");
  });
  ours("--preserve-fds beyond what the caller opened hands over nothing of the runtime's", async () => {
    for (const count of ["1", "5", "20"]) {
      const bundle = box.bundle(list);
      const result = await box.run(["run", "--preserve-fds", count, "--bundle", bundle.directory, box.id()]);
      if (result.status === 0) expect(parse(result.stdout)).toEqual([0, 1, 2]);
      else expect(result.stderr).toMatch(/preserve-fds|descriptor/);
    }
  });
  test("LISTEN_FDS are handed over with LISTEN_PID=1", async () => {
    const bundle = box.bundle(["sh", "-c", "echo $LISTEN_FDS $LISTEN_PID; ls /proc/$$/fd; true"]);
    const result = await box.run(["run", "--bundle", bundle.directory, box.id()], {
      prefix: ["sh", "-c", 'exec 3</etc/passwd 4</etc/group; LISTEN_FDS=2 LISTEN_PID=$$ exec "$@"', "sh"],
    });
    expect(result.stdout).toBe("2 1\n0\n1\n2\n3\n4\n");
  });
});
