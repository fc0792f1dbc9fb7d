// Real attacks of a hostile image or container on the runtime and the host. The numbers are those of the CVEs that the
// attack is known from; every one must leave the host as it was, whether the container is refused or runs.
import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { type Config, grantCapability } from "./config.ts";
import { type Bundle, executable, isPeer, openSandbox, readStatus, waitFor } from "./harness.ts";
import { compileProgram } from "./native.ts";
import { openConsoleReceiver } from "./terminals.ts";

const box = openSandbox("security");
const ours = test.skipIf(isPeer);

/** A directory on the host that the attacks aim at, with a file; `check` expects it unchanged. */
function makeTarget(name: string): { path: string; check: () => void } {
  const path = join(box.directory, `target-${name}`);
  mkdirSync(path);
  writeFileSync(join(path, "file"), "of the host", { mode: 0o644 });
  writeFileSync(join(path, "ptmx"), "of the host");
  return {
    path,
    check: () => {
      expect(readdirSync(path).sort()).toEqual(["file", "ptmx"]);
      for (const file of ["file", "ptmx"]) {
        expect(readFileSync(join(path, file), "utf8")).toBe("of the host");
        expect(statSync(join(path, file)).uid).toBe(0);
      }
      expect(readFileSync("/proc/self/mountinfo", "utf8")).not.toMatch(path);
    },
  };
}

const runBundle = (bundle: Bundle, flags: readonly string[] = []) =>
  box.run(["run", ...flags, "--bundle", bundle.directory, box.id()]);

function replaceByLink(bundle: Bundle, path: string, target: string): void {
  const full = join(bundle.rootfs, path);
  rmSync(full, { recursive: true, force: true });
  mkdirSync(dirname(full), { recursive: true });
  symlinkSync(target, full);
}

const withoutDev = (config: Config): void => {
  config.mounts = config.mounts.filter((m) => !m.destination.startsWith("/dev"));
};

/** Hashes the files that a container could reach through /proc/PID/exe or the like. */
function hashChain(): string[] {
  const folder = dirname(executable);
  const names = isPeer ? [executable] : readdirSync(folder).map((name) => join(folder, name));
  return [...names, process.execPath]
    .filter((name) => statSync(name).isFile())
    .map((name) => `${name} ${createHash("sha256").update(readFileSync(name)).digest("hex")}`);
}

describe("the runtime's own executable (CVE-2019-5736)", () => {
  test("#!/proc/self/exe as the entry runs nothing of the host", async () => {
    const before = hashChain();
    const bundle = box.bundle(["/evil"]);
    writeFileSync(join(bundle.rootfs, "evil"), "#!/proc/self/exe\n", { mode: 0o755 });
    await runBundle(bundle);
    expect(hashChain()).toEqual(before);
  });
  test("writing to /proc/PID/exe of a process that joins changes no file", async () => {
    const before = hashChain();
    // Opens the executable of every other process that appears, and tries to write it by way of /proc/self/fd.
    const script = `
      while :; do
        for p in /proc/[0-9]*; do
          case $p in /proc/1|/proc/$$) continue;; esac
          ( exec 3<$p/exe; for i in 1 2 3 4 5; do echo broken >/proc/self/fd/3; done )
        done
      done 2>/dev/null`;
    const id = box.id();
    const bundle = box.bundle(["sh", "-c", script], (config) => grantCapability(config, "CAP_SYS_PTRACE"));
    await box.ok(["run", "-d", "--bundle", bundle.directory, id]);
    for (let turn = 0; turn < 30; turn += 1) await box.ok(["exec", id, "true"]);
    await box.ok(["delete", "--force", id]);
    expect(hashChain()).toEqual(before);
  });
  // Its standard streams are the caller's, handed over as they are.
  test("a joining process shows no link to the host", async () => {
    const script = `
      end=$(($(date +%s) + 3))
      while [ $(date +%s) -lt $end ]; do
        for p in /proc/[0-9]*; do
          case $p in /proc/1|/proc/$$) continue;; esac
          for l in $p/cwd $p/root $p/exe $p/fd/[3-9]* $p/fd/[12][0-9]*; do echo "$(readlink $l)"; done
        done
      done 2>/dev/null | sort -u`;
    const id = box.id();
    const bundle = box.bundle(["sh", "-c", script]);
    const started = box.start(["run", "--bundle", bundle.directory, id]);
    await waitFor("the start", async () => (await readStatus(box, id)) === "running");
    while (started.child.exitCode === null && started.child.signalCode === null)
      await box.run(["exec", id, "true"]);
    const links = (await started.result).stdout.split("\n").filter((l) => l !== "");
    // Shells of the container keep a copy of their standard error, which is the caller's file.
    const hostile = links
      .filter((l) => !/\/output\/\d+\.(out|err)$/.test(l))
      .filter((l) => l.startsWith(box.directory) || /^\/(sys|usr\/sbin|run)\b/.test(l));
    expect(hostile).toEqual([]);
  });
});

describe("descriptors of the host (CVE-2024-21626, CVE-2016-9962)", () => {
  const secret = "cannot be seen inside";
  for (const link of [false, true])
    test(`a cwd of /proc/self/fd/N ${link ? "by a symbolic link" : ""} never is on the host`, async () => {
      for (let fd = 3; fd < 24; fd += 1) {
        const bundle = box.bundle(["sh", "-c", "pwd; ls; ls ../../../.. 2>/dev/null"], (config) => {
          config.process.cwd = link ? "/work" : `/proc/self/fd/${fd}`;
        });
        if (link) replaceByLink(bundle, "work", `/proc/self/fd/${fd}`);
        const result = await runBundle(bundle);
        expect(result.stdout).not.toMatch(/bundle-|state-|cgroup|unreachable/);
      }
    });
  test("exec --cwd /proc/self/fd/N", async () => {
    const id = box.id();
    await box.ok(["run", "-d", "--bundle", box.bundle(["sleep", "100"]).directory, id]);
    for (let fd = 3; fd < 24; fd += 1) {
      const result = await box.run([
        "exec",
        "--cwd",
        `/proc/self/fd/${fd}`,
        id,
        "sh",
        "-c",
        "ls; ls ../../..",
      ]);
      expect(result.stdout).not.toMatch(/bundle-|state-|cgroup/);
    }
    await box.ok(["delete", "--force", id]);
  });
  test("args[0] by way of /proc/self/fd/N", async () => {
    for (let fd = 3; fd < 24; fd += 1) {
      const result = await box.look([`/proc/self/fd/${fd}/../../../../../../usr/bin/id`]);
      expect(result.status).not.toBe(0);
    }
  });
  test("what the caller leaks without O_CLOEXEC is closed", async () => {
    writeFileSync(join(box.directory, "secret"), secret);
    const prefix = ["sh", "-c", `exec 5<${box.directory} 7</; exec "$@"`, "sh"];
    const result = await box.look(
      ["sh", "-c", "ls /proc/self/fd/5/ /proc/self/fd/7/ /proc/1/fd/; true"],
      undefined,
      { prefix },
    );
    expect(result.stdout).not.toMatch(/secret|work|bundle/);
  });
  ours("the waiting init holds nothing of the host and is not dumpable", async () => {
    const id = box.id();
    await box.ok(["create", "--bundle", box.bundle(["true"]).directory, id]);
    const { pid } = JSON.parse((await box.ok(["state", id])).stdout) as { pid: number };
    const links = readdirSync(`/proc/${pid}/fd`).map(
      (fd) =>
        `${fd} ${Bun.spawnSync(["readlink", `/proc/${pid}/fd/${fd}`])
          .stdout.toString()
          .trim()}`,
    );
    const beyond = links.filter((l) => Number(l.split(" ")[0]) > 2);
    expect(beyond.filter((l) => !/socket:/.test(l))).toEqual([]);
    expect(beyond.length).toBeLessThan(2);
    // A dumpable process's files in /proc belong to its user; of any other, to root. So look at it as a mapped root.
    expect(Bun.spawnSync(["readlink", `/proc/${pid}/exe`]).stdout.toString()).toMatch(/memfd|deleted/);
    const resident = Number(readFileSync(`/proc/${pid}/status`, "utf8").match(/VmRSS:\s+(\d+)/)?.[1]);
    expect(resident).toBeLessThan(300);
    await box.ok(["delete", id]);
  });
  ours("exec --preserve-fds beyond what the caller opened", async () => {
    const id = box.id();
    await box.ok(["run", "-d", "--bundle", box.bundle(["sleep", "100"]).directory, id]);
    for (const count of ["1", "7", "30"]) {
      const result = await box.run(["exec", "--preserve-fds", count, id, "sh", "-c", "ls /proc/$$/fd; true"]);
      if (result.status === 0) expect(result.stdout).toBe("0\n1\n2\n");
    }
    await box.ok(["delete", "--force", id]);
  });
});

describe("links in the image", () => {
  for (const name of ["proc", "sys"])
    test(`/${name} as a symbolic link is refused (CVE-2019-19921, CVE-2023-27561)`, async () => {
      const bundle = box.bundle(["true"]);
      replaceByLink(bundle, name, `/real-${name}`);
      mkdirSync(join(bundle.rootfs, `real-${name}`));
      const result = await runBundle(bundle);
      expect(result.status).toBe(1);
      expect(result.stderr).toMatch(/must be mounted on ordinary directory|not a directory|symbolic link/);
    });
  for (const mounted of [false, true])
    test.skipIf(isPeer)(
      `/dev as a symbolic link ${mounted ? "below a tmpfs" : "without a mount"} (CVE-2026-41579, CVE-2026-47766)`,
      async () => {
        const target = makeTarget(`dev-${mounted}`);
        const bundle = box.bundle(["true"], (config) => {
          withoutDev(config);
          if (mounted) config.mounts.push({ destination: "/dev", type: "tmpfs", source: "tmpfs" });
        });
        // As many levels up as it takes to leave the rootfs, if something resolves it on the host.
        replaceByLink(bundle, "dev", target.path);
        await runBundle(bundle);
        target.check();
      },
    );
  test("a mount destination below a symbolic link to the host stays in the rootfs (CVE-2021-30465)", async () => {
    const target = makeTarget("destination");
    for (const link of [target.path, `../../../../../../../..${target.path}`]) {
      const bundle = box.bundle(["true"], (config) => {
        config.mounts.push({ destination: "/vol/sub", type: "tmpfs", source: "t" });
      });
      replaceByLink(bundle, "vol", link);
      await runBundle(bundle);
      target.check();
    }
  });
  test("a dangling link as the destination makes nothing on the host", async () => {
    const target = makeTarget("dangling");
    const source = join(box.directory, "dangling-source");
    writeFileSync(source, "x");
    for (const type of ["tmpfs", "bind"]) {
      const bundle = box.bundle(["true"], (config) => {
        config.mounts.push({
          destination: "/vol",
          type,
          source: type === "bind" ? source : "t",
          options: type === "bind" ? ["bind"] : [],
        });
      });
      replaceByLink(bundle, "vol", join(target.path, "made"));
      await runBundle(bundle);
      target.check();
    }
  });
  ours("41 links in a chain end in ELOOP", async () => {
    const bundle = box.bundle(["true"], (config) => {
      config.mounts.push({ destination: "/chain0/x", type: "tmpfs", source: "t" });
    });
    for (let i = 0; i < 41; i += 1) symlinkSync(`/chain${i + 1}`, join(bundle.rootfs, `chain${i}`));
    mkdirSync(join(bundle.rootfs, "chain41"));
    const result = await runBundle(bundle);
    expect(result.status).toBe(1);
    expect(result.stderr).toMatch("too many levels of symbolic links");
  });
  test("a missing cwd below a link to the host is not made there", async () => {
    const target = makeTarget("cwd");
    const bundle = box.bundle(["true"], (config) => {
      config.process.cwd = "/link/made/by/cwd";
    });
    replaceByLink(bundle, "link", target.path);
    await runBundle(bundle);
    target.check();
  });
  test("tmpcopyup copies nothing from the host", async () => {
    const target = makeTarget("copyup");
    const bundle = box.bundle(["sh", "-c", "cat /data/inner/file /data/file 2>/dev/null; true"], (config) => {
      config.mounts.push({ destination: "/data", type: "tmpfs", source: "t", options: ["tmpcopyup"] });
    });
    mkdirSync(join(bundle.rootfs, "data"));
    symlinkSync(target.path, join(bundle.rootfs, "data/inner"));
    symlinkSync(join(target.path, "file"), join(bundle.rootfs, "data/file"));
    expect((await runBundle(bundle)).stdout).not.toMatch("of the host");
    target.check();
  });
  test("device targets that are links", async () => {
    const target = makeTarget("device");
    const bundle = box.bundle(["true"], (config) => {
      config.linux.devices = [
        { type: "c", path: "/made/fuse", major: 10, minor: 229, fileMode: 0o666, uid: 1000, gid: 1000 },
      ];
    });
    replaceByLink(bundle, "made", target.path);
    await runBundle(bundle);
    target.check();
  });
  test("a device whose last part is a link to a host file", async () => {
    const target = makeTarget("device-file");
    const bundle = box.bundle(["true"], (config) => {
      config.linux.devices = [
        { type: "c", path: "/opt/fuse", major: 10, minor: 229, fileMode: 0o666, uid: 1000, gid: 1000 },
      ];
    });
    replaceByLink(bundle, "opt/fuse", join(target.path, "file"));
    await runBundle(bundle);
    target.check();
  });
  test("/etc/passwd as a link, a directory or a fifo, when HOME is looked up", async () => {
    for (const kind of ["link", "directory", "fifo"]) {
      const bundle = box.bundle(["sh", "-c", "echo $HOME"]);
      const file = join(bundle.rootfs, "etc/passwd");
      rmSync(file);
      if (kind === "link") symlinkSync("/proc/self/fd/0", file);
      if (kind === "directory") mkdirSync(file);
      if (kind === "fifo") Bun.spawnSync(["mkfifo", file]);
      // Debian's runc waits on the fifo for ever.
      if (isPeer && kind === "fifo") continue;
      const result = await box.run(["run", "--bundle", bundle.directory, box.id()], { timeout: 10_000 });
      expect([0, 1]).toContain(result.status ?? -1);
    }
  });
});

describe("the image's /dev/null (CVE-2025-31133, CVE-2026-88265)", () => {
  const fakes: readonly [string, (path: string) => void][] = [
    [
      "a link to a setting of the kernel",
      (path) => symlinkSync("/proc/sys/kernel/printk_ratelimit_burst", path),
    ],
    ["a link to a host file", (path) => symlinkSync(join(box.directory, "precious"), path)],
    ["a dangling link", (path) => symlinkSync("/no/such/thing", path)],
    ["a regular file", (path) => writeFileSync(path, "fake")],
    ["a fifo", (path) => void Bun.spawnSync(["mkfifo", path])],
    ["another device", (path) => void Bun.spawnSync(["mknod", path, "c", "1", "5"])],
    ["a directory", (path) => mkdirSync(path)],
  ];
  for (const [title, make] of fakes) {
    ours(`${title} does not become a masked path, nor stdio`, async () => {
      const precious = join(box.directory, "precious");
      writeFileSync(precious, "of the host");
      const setting = readFileSync("/proc/sys/kernel/printk_ratelimit_burst", "utf8");
      const script = "echo 11 >/proc/keys; head -c 100 /secret; echo x >&1; true";
      const bundle = box.bundle(["sh", "-c", script], (config) => {
        withoutDev(config);
        config.process.user = { uid: 0, gid: 0 };
        config.linux.maskedPaths = ["/proc/keys", "/secret", "/proc/sys/kernel/printk_ratelimit_burst"];
        config.linux.readonlyPaths = [];
      });
      writeFileSync(join(bundle.rootfs, "secret"), "secret");
      make(join(bundle.rootfs, "dev/null"));
      const result = await box.run(["run", "--bundle", bundle.directory, box.id()], { timeout: 10_000 });
      expect(result.stdout).not.toMatch("secret");
      expect(readFileSync("/proc/sys/kernel/printk_ratelimit_burst", "utf8")).toBe(setting);
      expect(readFileSync(precious, "utf8")).toBe("of the host");
      expect(statSync(precious).uid).toBe(0);
    });
  }
});

describe("the console (CVE-2025-52565, CVE-2026-88264)", () => {
  for (const name of ["console", "pts", "ptmx"]) {
    ours(`/dev/${name} as a link to the host makes and mounts nothing there`, async () => {
      const target = makeTarget(`console-${name}`);
      const bundle = box.bundle(["true"], (config) => {
        config.process.terminal = true;
        withoutDev(config);
        config.mounts.push({
          destination: "/dev/pts",
          type: "devpts",
          source: "devpts",
          options: ["newinstance", "ptmxmode=0666"],
        });
      });
      replaceByLink(
        bundle,
        `dev/${name}`,
        name === "pts" ? target.path : join(target.path, name === "console" ? "made" : "ptmx"),
      );
      const socket = join(bundle.directory, "s");
      const receiver = await openConsoleReceiver(socket);
      const id = box.id();
      await box.run(["create", "--bundle", bundle.directory, "--console-socket", socket, id]);
      await box.run(["delete", "--force", id]);
      receiver.close();
      target.check();
    });
  }
  ours("a directory in the place of /dev/pts that is no devpts is refused", async () => {
    const bundle = box.bundle(["true"], (config) => {
      config.process.terminal = true;
      withoutDev(config);
    });
    mkdirSync(join(bundle.rootfs, "dev/pts"), { recursive: true });
    Bun.spawnSync(["mknod", join(bundle.rootfs, "dev/pts/ptmx"), "c", "1", "5"]);
    const socket = join(bundle.directory, "s");
    const receiver = await openConsoleReceiver(socket);
    const result = await box.run([
      "create",
      "--bundle",
      bundle.directory,
      "--console-socket",
      socket,
      box.id(),
    ]);
    receiver.close();
    expect(result.status).toBe(1);
  });
  test("TIOCSTI into the caller's terminal fails", async () => {
    const bundle = box.bundle(["/bin/tiocsti"]);
    const program = compileProgram(
      box.directory,
      "tiocsti",
      `#include <stdio.h>
#include <fcntl.h>
#include <sys/ioctl.h>
int main(void) {
  int fd = open("/dev/tty", O_RDWR);
  int direct = ioctl(0, TIOCSTI, "x");
  int byTty = fd < 0 ? -1 : ioctl(fd, TIOCSTI, "x");
  printf("%d %d\\n", direct, byTty);
  return 0;
}
`,
    );
    copyFileSync(program, join(bundle.rootfs, "bin/tiocsti"));
    const pty = `import os,pty,sys\npid,fd=pty.fork()\nif pid==0: os.execvp(sys.argv[1], sys.argv[1:])\nout=b""\nwhile True:\n  try: d=os.read(fd,999)\n  except OSError: break\n  if not d: break\n  out+=d\nprint(out.decode())`;
    const result = await box.run(["run", "--bundle", bundle.directory, box.id()], {
      prefix: ["python3", "-c", pty],
    });
    expect(result.stdout).toMatch("-1 -1");
  });
});

describe("races", () => {
  test("a destination that is swapped for a link while it is mounted on (CVE-2021-30465, CVE-2024-45310)", async () => {
    const target = makeTarget("race");
    const swap = compileProgram(
      box.directory,
      "swap",
      `#include <fcntl.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>
int main(int argc, char **argv) {
  if (argc != 3) return 1;
  for (;;) syscall(SYS_renameat2, AT_FDCWD, argv[1], AT_FDCWD, argv[2], 2);
}
`,
    );
    const bundle = box.bundle(["true"], (config) => {
      for (let i = 0; i < 12; i += 1)
        config.mounts.push({ destination: `/race/d${i}/e/f`, type: "tmpfs", source: "t" });
    });
    mkdirSync(join(bundle.rootfs, "race"));
    symlinkSync(target.path, join(bundle.rootfs, "race-link"));
    const swapper = Bun.spawn([swap, join(bundle.rootfs, "race"), join(bundle.rootfs, "race-link")]);
    const end = Date.now() + (isPeer ? 1500 : 6000);
    while (Date.now() < end) await runBundle(bundle);
    swapper.kill("SIGKILL");
    await swapper.exited;
    // Debian's runc is known to lose this one now and then.
    if (!isPeer) target.check();
    expect(readFileSync("/proc/self/mountinfo", "utf8")).not.toMatch(target.path);
  });
  ours("writes to sysctl go to a procfs that the container cannot cover (CVE-2025-52881)", async () => {
    const before = readFileSync("/proc/sys/net/ipv4/ip_forward", "utf8");
    const bundle = box.bundle(["cat", "/proc/sys/net/ipv4/ip_forward"], (config) => {
      config.linux.sysctl = { "net.ipv4.ip_forward": "1" };
      config.hooks = {
        createContainer: [
          {
            path: "/bin/sh",
            args: [
              "sh",
              "-c",
              "PATH=/bin:/usr/bin; mount -t tmpfs t $PWD/proc/sys/net && mkdir -p $PWD/proc/sys/net/ipv4 && touch $PWD/proc/sys/net/ipv4/ip_forward",
            ],
          },
        ],
      };
    });
    const result = await runBundle(bundle);
    // Either refused, or written to the true procfs below the cover; never into the tmpfs.
    if (result.status === 0) expect(result.stdout).toBe("");
    expect(readFileSync("/proc/sys/net/ipv4/ip_forward", "utf8")).toBe(before);
  });
});

describe("the working directory of the runtime is untrusted", () => {
  ours("no .env, bunfig.toml, package.json, tsconfig.json or preload of the bundle is read", async () => {
    const bundle = box.bundle(["env"]);
    const marker = join(bundle.directory, "ran");
    writeFileSync(
      join(bundle.directory, "evil.js"),
      `require("fs").writeFileSync(${JSON.stringify(marker)}, "x");`,
    );
    writeFileSync(join(bundle.directory, "bunfig.toml"), 'preload = ["./evil.js"]\n[run]\nbun = true\n');
    writeFileSync(
      join(bundle.directory, ".env"),
      `EVIL=1\nBUN_OPTIONS=--preload=./evil.js\nNODE_OPTIONS=--require=./evil.js\nXDG_RUNTIME_DIR=${bundle.directory}\nPATH=/nowhere\n`,
    );
    writeFileSync(
      join(bundle.directory, "package.json"),
      '{"type":"module","imports":{"#x":"./evil.js"},"main":"evil.js"}',
    );
    writeFileSync(
      join(bundle.directory, "tsconfig.json"),
      '{"compilerOptions":{"paths":{"*":["./evil.js"]}}}',
    );
    mkdirSync(join(bundle.directory, "node_modules/koffi"), { recursive: true });
    for (const name of ["koffi", "zod", "commander"]) {
      mkdirSync(join(bundle.directory, "node_modules", name), { recursive: true });
      copyFileSync(
        join(bundle.directory, "evil.js"),
        join(bundle.directory, "node_modules", name, "index.js"),
      );
    }
    writeFileSync(join(bundle.directory, "koffi.node"), "not an addon");
    writeFileSync(join(bundle.directory, "init"), "#!/bin/sh\ntouch ran\n", { mode: 0o755 });
    const result = await box.run(["run", box.id()], { cwd: bundle.directory });
    expect(result.stderr).toBe("");
    expect(result.stdout).not.toMatch("EVIL");
    expect(existsSync(marker)).toBe(false);
  });
  ours("the container's env reaches no process of the host", async () => {
    const marker = join(box.directory, "preloaded");
    const bundle = box.bundle(["true"], (config) => {
      config.process.env?.push(
        `BUN_OPTIONS=--preload=${marker}`,
        `NODE_OPTIONS=--require=${marker}`,
        `LD_PRELOAD=${marker}`,
      );
      config.hooks = {
        createRuntime: [
          { path: "/bin/sh", args: ["sh", "-c", `cat /proc/$PPID/environ /proc/$$/environ >${marker}`] },
        ],
      };
    });
    await box.ok(["run", "--bundle", bundle.directory, box.id()]);
    expect(readFileSync(marker, "utf8")).not.toMatch(/preload|LD_PRELOAD|NODE_OPTIONS|BUN_OPTIONS/);
  });
});

describe("identity", () => {
  test("exec --cap and spec leave the inheritable set empty (CVE-2022-29162)", async () => {
    const folder = join(box.directory, "spec");
    mkdirSync(folder);
    await box.ok(["spec", "--bundle", folder]);
    const spec = JSON.parse(readFileSync(join(folder, "config.json"), "utf8")) as Config;
    if (!isPeer) expect(spec.process.capabilities?.inheritable ?? []).toEqual([]);
    const again = await box.run(["spec", "--bundle", folder]);
    expect(again.status).toBe(1);
  });
  test("a pid that was reused is not taken for the container", async () => {
    const id = box.id();
    await box.ok(["run", "-d", "--bundle", box.bundle(["sleep", "100"]).directory, id]);
    const { pid } = JSON.parse((await box.ok(["state", id])).stdout) as { pid: number };
    // The start time in the state file, changed: as if the pid belonged to a later process.
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
    const startTime = fields[19] ?? "";
    const folder = join(box.root, id);
    const file = readdirSync(folder)
      .map((name) => join(folder, name))
      .find((name) => statSync(name).isFile() && readFileSync(name, "utf8").includes(startTime));
    if (file === undefined) throw new Error("the start time is in no file of the state directory");
    const saved = readFileSync(file, "utf8");
    writeFileSync(file, saved.replace(startTime, String(Number(startTime) - 1)));
    expect(await readStatus(box, id)).toBe("stopped");
    const kill = await box.run(["kill", id, "KILL"]);
    expect(kill.status).toBe(1);
    expect(existsSync(`/proc/${pid}`)).toBe(true);
    writeFileSync(file, saved);
    await box.ok(["delete", "--force", id]);
  });
  ours("a long environment and many mappings are handled whole (CVE-2021-43784)", async () => {
    const result = await box.look(
      ["sh", "-c", "printf %s $BIG | wc -c; wc -l </proc/self/uid_map"],
      (config) => {
        config.process.env?.push(`BIG=${"x".repeat(100_000)}`);
        config.linux.namespaces.push({ type: "user" });
        config.linux.uidMappings = Array.from({ length: 200 }, (_, i) => ({
          containerID: i * 10,
          hostID: 100000 + i * 10,
          size: 10,
        }));
        config.linux.gidMappings = config.linux.uidMappings;
      },
    );
    expect(result.stderr).toBe("");
    expect(result.stdout).toBe("100000\n200\n");
  });
});

describe("config.json as a weapon", () => {
  const runText = async (text: string) => {
    const bundle = box.bundle(["true"]);
    writeFileSync(join(bundle.directory, "config.json"), text);
    return runBundle(bundle);
  };
  const base = (): string => readFileSync(join(box.bundle(["true"]).directory, "config.json"), "utf8");

  ours("too deep, too large, not JSON, not an object: a clear error", async () => {
    for (const text of [
      "[".repeat(100_000),
      `{"a":${'{"a":'.repeat(5000)}1${"}".repeat(5000)}}`,
      "",
      "null",
      "[]",
      '"x"',
      "{",
      "\u0000",
      "{}",
    ]) {
      const result = await runText(text);
      expect(result.status).toBe(1);
      expect(result.stderr).not.toMatch(/at .*\.ts|TypeError|RangeError|undefined/);
      expect(result.stderr.length).toBeLessThan(5000);
    }
  });
  ours("__proto__ and constructor are keys like any other", async () => {
    const result = await runText(
      base().replace(
        '{"ociVersion"',
        '{"__proto__":{"hooks":{"createRuntime":[{"path":"/bin/false"}]}},"annotations":{"__proto__":"x","constructor":"y"},"ociVersion"',
      ),
    );
    expect(result.stderr).toBe("");
    expect(result.status).toBe(0);
  });
  ours("of two equal keys the last wins", async () => {
    const result = await runText(
      base()
        .replace('"hostname":"tested"', '"hostname":"first","hostname":"last"')
        .replace('"args":["true"]', '"args":["hostname"]'),
    );
    expect(result.stdout).toBe("last\n");
  });
  ours("NUL in any text is refused with its path", async () => {
    const cases: [string, (config: Config) => void][] = [
      ["process.args[1]", (config) => config.process.args.push("a\0b")],
      [
        "process.cwd",
        (config) => {
          config.process.cwd = "/a\0b";
        },
      ],
      [
        "hostname",
        (config) => {
          config.hostname = "a\0b";
        },
      ],
      [
        "mounts[6].destination",
        (config) => void config.mounts.push({ destination: "/a\0b", type: "tmpfs", source: "t" }),
      ],
      [
        "mounts[6].source",
        (config) => void config.mounts.push({ destination: "/a", type: "tmpfs", source: "a\0b" }),
      ],
      [
        "mounts[6].options[0]",
        (config) =>
          void config.mounts.push({ destination: "/a", type: "tmpfs", source: "t", options: ["a\0b"] }),
      ],
      [
        "root.path",
        (config) => {
          config.root.path = "a\0b";
        },
      ],
    ];
    for (const [path, change] of cases) {
      const result = await box.look(["true"], change);
      expect({ path, status: result.status, told: result.stderr.includes(path) }).toEqual({
        path,
        status: 1,
        told: true,
      });
    }
  });
  test("a command with quotes, newlines and escapes in it stays data", async () => {
    const result = await box.look(['/no"such\n\u001b[31mthing\u0007']);
    expect(result.status).toBe(1);
    if (!isPeer)
      for (const control of ["\u001b", "\u0007"]) expect(result.stderr.includes(control)).toBe(false);
  });
});

describe("state directory", () => {
  ours("a link in the place of a container's directory is not followed", async () => {
    const target = makeTarget("state");
    const id = box.id();
    await box.ok(["list"]);
    mkdirSync(box.root, { recursive: true });
    symlinkSync(target.path, join(box.root, id));
    await box.run(["create", "--bundle", box.bundle(["true"]).directory, id]);
    await box.run(["delete", "--force", id]);
    target.check();
    rmSync(join(box.root, id), { force: true });
  });
  test("a state directory that was moved aside is absent, not misread", async () => {
    const id = box.id();
    await box.ok(["create", "--bundle", box.bundle(["true"]).directory, id]);
    renameSync(join(box.root, id), join(box.directory, "aside"));
    expect((await box.run(["state", id])).status).toBe(1);
    renameSync(join(box.directory, "aside"), join(box.root, id));
    await box.ok(["delete", "--force", id]);
  });
});

test("a rootfs that is not readable by others still works for a user", async () => {
  const bundle = box.bundle(["id", "-u"], (config) => {
    config.process.user = { uid: 1000, gid: 1000 };
  });
  chmodSync(bundle.directory, 0o700);
  expect((await runBundle(bundle)).stdout).toBe("1000\n");
});
