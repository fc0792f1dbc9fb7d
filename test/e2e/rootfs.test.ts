// The root file system as the process finds it: /, /dev, masked and read-only paths, sysctl, names, --no-pivot.
import { describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { addUserNamespace, type Config, dropNamespace, grantCapability } from "./config.ts";
import { isPeer, openSandbox } from "./harness.ts";

const box = openSandbox("rootfs");
const ours = test.skipIf(isPeer);

describe("the root", () => {
  test("is writable unless readonly", async () => {
    expect((await box.look(["touch", "/new"])).status).toBe(0);
    const result = await box.look(["touch", "/new"], (config) => {
      config.root.readonly = true;
    });
    expect(result.stderr).toMatch("Read-only file system");
  });
  test("read-only leaves the mounts below it writable", async () => {
    const result = await box.look(["touch", "/dev/shm/new"], (config) => {
      config.root.readonly = true;
    });
    expect(result.status).toBe(0);
  });
  test("an absolute path works", async () => {
    const bundle = box.bundle(["true"]);
    bundle.edit((config) => {
      config.root.path = bundle.rootfs;
    });
    await box.ok(["run", "--bundle", bundle.directory, box.id()]);
  });
  test("the bundle as its own rootfs", async () => {
    const bundle = box.bundle(["true"]);
    writeFileSync(join(bundle.rootfs, "config.json"), readFileSync(join(bundle.directory, "config.json")));
    const inner = JSON.parse(readFileSync(join(bundle.directory, "config.json"), "utf8")) as Config;
    inner.root.path = ".";
    writeFileSync(join(bundle.rootfs, "config.json"), JSON.stringify(inner));
    await box.ok(["run", "--bundle", bundle.rootfs, box.id()]);
  });
  for (const flags of [[], ["--no-pivot"]]) {
    test(`nothing of the host's root is reachable ${flags.join(" ")}`, async () => {
      const script =
        "cat /proc/self/mountinfo; echo ---; ls /; echo ---; ls /proc/1/root/; cd ..; pwd; ls -d ../../../../work 2>&1";
      const bundle = box.bundle(["sh", "-c", script]);
      const result = await box.run(["run", ...flags, "--bundle", bundle.directory, box.id()]);
      const [mounts = "", root = "", other = ""] = result.stdout.split("---\n");
      if (flags.length === 0) {
        const points = mounts
          .trim()
          .split("\n")
          .map((line) => line.split(" ")[4] ?? "");
        expect(points.filter((point) => !/^\/($|proc|dev|sys)/.test(point))).toEqual([]);
        expect(points.filter((point) => point === "/").length).toBe(1);
      }
      expect(other.startsWith(root)).toBe(true);
      expect(other).toMatch(/No such file/);
    });
  }
  test("--no-pivot: the host's procfs and sysfs cannot be mounted anew in a user namespace", async () => {
    const script = "unshare -Urm mount -t proc proc /mnt && ls /mnt";
    const bundle = box.bundle(["sh", "-c", script]);
    mkdirSync(join(bundle.rootfs, "mnt"));
    const result = await box.run(["run", "--no-pivot", "--bundle", bundle.directory, box.id()]);
    expect(result.status).not.toBe(0);
  });
});

describe("rootfsPropagation", () => {
  for (const [value, pattern] of [
    ["shared", /shared:\d+/],
    ["rshared", /shared:\d+/],
    ["slave", /^(?!.*shared).*$/],
    ["rslave", /^(?!.*shared).*$/],
    ["private", /^$/],
    ["rprivate", /^$/],
    ["unbindable", /^unbindable$/],
    ["runbindable", /^unbindable$/],
  ] as const) {
    test.skipIf(isPeer && /shared|unbindable/.test(value))(value, async () => {
      const result = await box.look(["cat", "/proc/self/mountinfo"], (config) => {
        config.linux.rootfsPropagation = value;
      });
      expect(result.stderr).toBe("");
      const line = result.stdout.split("\n").find((l) => l.split(" ")[4] === "/");
      const tags = line?.split(" - ")[0]?.split(" ").slice(6).join(" ") ?? "no root";
      expect(tags).toMatch(pattern);
    });
  }
  ours("an unknown value is refused", async () => {
    const result = await box.look(["true"], (config) => {
      config.linux.rootfsPropagation = "bogus";
    });
    expect(result.status).toBe(1);
    expect(result.stderr).toMatch("rootfsPropagation");
  });
});

describe("/dev", () => {
  test("has the default devices, usable by anyone", async () => {
    const names = ["null", "zero", "full", "random", "urandom", "tty"];
    const script = `stat -c '%n %a %t:%T %u' ${names.map((n) => `/dev/${n}`).join(" ")}`;
    const expected = ["1:3", "1:5", "1:7", "1:8", "1:9", "5:0"]
      .map((n, i) => `/dev/${names[i]} 666 ${n} 0\n`)
      .join("");
    // The caller's umask must not show.
    const result = await box.look(["sh", "-c", script], undefined, {
      prefix: ["sh", "-c", 'umask 077; exec "$@"', "sh"],
    });
    expect(result.stdout).toBe(expected);
  });
  test("has the links", async () => {
    const result = await box.look([
      "sh",
      "-c",
      "for l in ptmx fd stdin stdout stderr; do readlink /dev/$l; done",
    ]);
    expect(result.stdout).toBe(
      "pts/ptmx\n/proc/self/fd\n/proc/self/fd/0\n/proc/self/fd/1\n/proc/self/fd/2\n",
    );
  });
  test("gets the configured devices, with their mode and owner", async () => {
    const result = await box.look(
      ["sh", "-c", "stat -c '%F %a %t:%T %u:%g' /dev/one /dev/deep/two /dev/pipe"],
      (config) => {
        config.linux.devices = [
          { type: "c", path: "/dev/one", major: 10, minor: 229, fileMode: 0o666, uid: 5, gid: 6 },
          { type: "b", path: "/dev/deep/two", major: 7, minor: 3, fileMode: 0o600 },
          { type: "p", path: "/dev/pipe", fileMode: 0o622, uid: 0, gid: 0 },
        ];
      },
      { prefix: ["sh", "-c", 'umask 077; exec "$@"', "sh"] },
    );
    expect(result.stderr).toBe("");
    expect(result.stdout).toBe(
      "character special file 666 a:e5 5:6\nblock special file 600 7:3 0:0\nfifo 622 0:0 0:0\n",
    );
  });
  ours("major and minor numbers above 32 bits are refused or kept, never wrapped", async () => {
    const result = await box.look(["stat", "-c", "%t:%T", "/dev/big"], (config) => {
      config.linux.devices = [{ type: "c", path: "/dev/big", major: 4294967297, minor: 4294967299 }];
    });
    expect(result.status).toBe(1);
    expect(result.stderr).toMatch(/linux\.devices\[0\]/);
  });
  test("a device outside the config's rules cannot be opened", async () => {
    const result = await box.look(["sh", "-c", "mknod /tmp/mem c 1 1 && head -c 1 /tmp/mem"], (config) => {
      config.linux.resources = {
        devices: [
          { allow: false, access: "rwm" },
          { allow: true, type: "c", access: "m" },
        ],
      };
    });
    expect(result.stderr).toMatch(/Operation not permitted/);
  });
  test("bound from the host, it is left alone", async () => {
    const source = join(box.directory, "host-dev");
    mkdirSync(source);
    writeFileSync(join(source, "ptmx"), "a file of the host");
    // runc cannot do without it.
    Bun.spawnSync(["mknod", join(source, "null"), "c", "1", "3"]);
    const result = await box.look(["ls", "/dev"], (config) => {
      config.mounts = config.mounts.filter((m) => !m.destination.startsWith("/dev"));
      config.mounts.push({ destination: "/dev", type: "bind", source, options: ["bind"] });
    });
    expect(result.stderr).toBe("");
    expect(result.stdout).toBe("null\nptmx\n");
    expect(readdirSync(source).sort()).toEqual(["null", "ptmx"]);
    expect(readFileSync(join(source, "ptmx"), "utf8")).toBe("a file of the host");
  });
  test("without a mount on it, devices are made in the image's directory", async () => {
    const result = await box.look(["sh", "-c", "ls -l /dev/null /dev/fd | wc -l"], (config) => {
      config.mounts = config.mounts.filter((m) => !m.destination.startsWith("/dev"));
    });
    expect(result.stderr).toBe("");
    expect(result.stdout).toBe("2\n");
  });
  test("the host's /dev/null keeps its owner when it is a standard stream", async () => {
    const before = statSync("/dev/null").uid;
    await box.look(["true"], (config) => {
      config.process.user = { uid: 1000, gid: 1000 };
    });
    expect(statSync("/dev/null").uid).toBe(before);
  });
});

describe("masked paths", () => {
  test("a file reads as empty, a directory as empty and read-only, an absent one is skipped", async () => {
    const bundle = box.bundle(
      [
        "sh",
        "-c",
        "cat /secret/file; ls /secret/directory; touch /secret/directory/new; df /secret/directory | tail -1",
      ],
      (config) => {
        config.linux.maskedPaths = ["/secret/file", "/secret/directory", "/not/there"];
      },
    );
    mkdirSync(join(bundle.rootfs, "secret/directory"), { recursive: true });
    writeFileSync(join(bundle.rootfs, "secret/file"), "secret");
    writeFileSync(join(bundle.rootfs, "secret/directory/inner"), "secret");
    const result = await box.run(["run", "--bundle", bundle.directory, box.id()]);
    expect(result.stdout).not.toMatch("secret\n");
    expect(result.stdout).not.toMatch("inner");
    expect(result.stderr).toMatch("Read-only file system");
  });
  test("/proc/keys and the firmware are masked", async () => {
    const result = await box.look(["sh", "-c", "stat -c %t:%T /proc/keys; ls /sys/firmware | wc -l"]);
    expect(result.stdout).toBe("1:3\n0\n");
  });
});

describe("read-only paths", () => {
  test("cannot be written, absent ones are skipped", async () => {
    const bundle = box.bundle(
      ["sh", "-c", "echo x >/kept/file; echo x >/proc/sys/kernel/domainname; cat /kept/file"],
      (config) => {
        config.linux.readonlyPaths = ["/kept", "/proc/sys", "/not/there"];
      },
    );
    mkdirSync(join(bundle.rootfs, "kept"));
    writeFileSync(join(bundle.rootfs, "kept/file"), "kept");
    const result = await box.run(["run", "--bundle", bundle.directory, box.id()]);
    expect(result.stderr.match(/Read-only file system/g)?.length).toBe(2);
    expect(result.stdout).toBe("kept");
  });
  test("the flags of what was mounted there stay", async () => {
    const result = await box.look(["cat", "/proc/self/mountinfo"], (config) => {
      config.linux.readonlyPaths = ["/proc/bus", "/dev/shm"];
    });
    const line = result.stdout.split("\n").findLast((l) => l.split(" ")[4] === "/dev/shm") ?? "";
    for (const flag of ["ro", "nosuid", "nodev", "noexec"])
      expect(line.split(" ")[5]?.split(",")).toContain(flag);
  });
});

describe("sysctl", () => {
  test("is set in the container alone", async () => {
    const before = readFileSync("/proc/sys/kernel/shm_rmid_forced", "utf8");
    const result = await box.look(
      [
        "cat",
        "/proc/sys/net/ipv4/ip_forward",
        "/proc/sys/kernel/shm_rmid_forced",
        "/proc/sys/fs/mqueue/msg_max",
      ],
      (config) => {
        config.linux.sysctl = {
          "net.ipv4.ip_forward": "1",
          "kernel.shm_rmid_forced": "1",
          "fs.mqueue.msg_max": "77",
        };
      },
    );
    expect(result.stderr).toBe("");
    expect(result.stdout).toBe("1\n1\n77\n");
    expect(readFileSync("/proc/sys/kernel/shm_rmid_forced", "utf8")).toBe(before);
  });
  test("the slash form works", async () => {
    const result = await box.look(["cat", "/proc/sys/net/ipv4/ip_forward"], (config) => {
      config.linux.sysctl = { "net/ipv4/ip_forward": "1" };
    });
    expect(result.stdout).toBe("1\n");
  });
  for (const key of [
    "kernel.panic",
    "vm.swappiness",
    "net/../kernel/panic",
    "net.ipv4.../kernel/panic",
    "kernel.core_pattern",
    "fs.file-max",
  ]) {
    test(`${key} is refused, and the host's value stays`, async () => {
      const panic = readFileSync("/proc/sys/kernel/panic", "utf8");
      const result = await box.look(["true"], (config) => {
        config.linux.sysctl = { [key]: "123" };
      });
      expect(result.status).toBe(1);
      expect(readFileSync("/proc/sys/kernel/panic", "utf8")).toBe(panic);
    });
  }
  for (const [key, type] of [
    ["net.ipv4.ip_forward", "network"],
    ["kernel.shm_rmid_forced", "ipc"],
    ["fs.mqueue.msg_max", "ipc"],
  ] as const) {
    test(`${key} without a ${type} namespace is refused`, async () => {
      const result = await box.look(["true"], (config) => {
        dropNamespace(config, type);
        config.mounts = config.mounts.filter((m) => m.type !== "mqueue" && m.type !== "sysfs");
        config.linux.sysctl = { [key]: "1" };
      });
      expect(result.status).toBe(1);
      expect(result.stderr).toMatch(/not (allowed|in a separate kernel namespace)/);
    });
  }
  test("one that does not exist", async () => {
    const result = await box.look(["true"], (config) => {
      config.linux.sysctl = { "net.ipv4.bogus": "1" };
    });
    expect(result.status).toBe(1);
    expect(result.stderr).toMatch("no such file or directory");
  });
});

describe("names", () => {
  test("hostname", async () => {
    expect((await box.look(["hostname"])).stdout).toBe("tested\n");
  });
  ours("domainname", async () => {
    const result = await box.look(["cat", "/proc/sys/kernel/domainname"], (config) => {
      config.domainname = "example.org";
    });
    expect(result.stdout).toBe("example.org\n");
  });
  test("hostname in a user namespace", async () => {
    expect((await box.look(["hostname"], addUserNamespace)).stdout).toBe("tested\n");
  });
});

test("the rootfs on the host gets the mount points and nothing else", async () => {
  const bundle = box.bundle(["true"]);
  const before = readdirSync(bundle.rootfs, { recursive: true }).length;
  await box.ok(["run", "--bundle", bundle.directory, box.id()]);
  expect(readdirSync(bundle.rootfs, { recursive: true }).length).toBe(before);
});

/** On v1 a hierarchy of its own. */
const pidsHierarchy = existsSync("/sys/fs/cgroup/pids") ? "/sys/fs/cgroup/pids" : "/sys/fs/cgroup";

describe("resources", () => {
  test.skipIf(!existsSync("/sys/fs/cgroup/pids"))(
    "pids, memory and cpu limits are in the container's cgroup",
    async () => {
      const script =
        "cat /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/cpu/cpu.shares /sys/fs/cgroup/cpu/cpu.cfs_quota_us /sys/fs/cgroup/cpu/cpu.cfs_period_us";
      const result = await box.look(["sh", "-c", script], (config) => {
        config.mounts.push({
          destination: "/sys/fs/cgroup",
          type: "cgroup",
          source: "cgroup",
          options: ["ro"],
        });
        Object.assign(config.linux.resources ?? {}, {
          pids: { limit: 33 },
          memory: { limit: 67108864 },
          cpu: { shares: 512, quota: 20000, period: 50000 },
        });
      });
      expect(result.stderr).toBe("");
      expect(result.stdout).toBe("33\n67108864\n512\n20000\n50000\n");
    },
  );
  test("pids.limit holds", async () => {
    const result = await box.look(
      ["sh", "-c", "for i in 1 2 3 4 5 6 7 8 9; do sleep 1 & done; wait"],
      (config) => {
        Object.assign(config.linux.resources ?? {}, { pids: { limit: 5 } });
      },
    );
    expect(result.stderr).toMatch(/can't fork|Resource temporarily unavailable/);
  });
  for (const [title, path] of [
    ["absolute", "/ID"],
    ["nested", "/ID/a/b"],
    ["relative", "ID/rel"],
  ] as const) {
    test(`cgroupsPath, ${title}, is used and removed`, async () => {
      const id = box.id();
      const bundle = box.bundle(["sleep", "100"], (config) => {
        config.linux.cgroupsPath = path.replace("ID", id);
      });
      await box.ok(["create", "--bundle", bundle.directory, id]);
      const { pid } = JSON.parse((await box.ok(["state", id])).stdout) as { pid: number };
      const cgroup = readFileSync(`/proc/${pid}/cgroup`, "utf8");
      expect(cgroup).toMatch(
        new RegExp(`(:devices:|^0::)(/.*)?${path.replace("ID", id).replace(/^(?!\/)/, "/")}$`, "m"),
      );
      await box.ok(["delete", "--force", id]);
      // The parents that the path named stay, as with runc: they may be another container's too.
      expect(existsSync(`${pidsHierarchy}/${path.replace("ID", id)}`)).toBe(false);
      Bun.spawnSync(["sh", "-c", `find /sys/fs/cgroup -depth -type d -path '*${id}*' -exec rmdir {} \\;`]);
    });
  }
  test("a cgroupsPath with .. stays below the root of the hierarchy", async () => {
    const id = box.id();
    const bundle = box.bundle(["sleep", "100"], (config) => {
      config.linux.cgroupsPath = `../../../${id}`;
      grantCapability(config, "CAP_NET_ADMIN");
    });
    const result = await box.run(["create", "--bundle", bundle.directory, id]);
    if (result.status === 0) {
      const { pid } = JSON.parse((await box.ok(["state", id])).stdout) as { pid: number };
      expect(readFileSync(`/proc/${pid}/cgroup`, "utf8")).not.toMatch(/\.\./);
      await box.ok(["delete", "--force", id]);
    }
  });
  ours("a cgroup that has a process in it already is refused", async () => {
    const id = box.id();
    const group = `${pidsHierarchy}/${id}`;
    mkdirSync(group);
    const holder = Bun.spawn(["sleep", "100"]);
    writeFileSync(join(group, "cgroup.procs"), String(holder.pid));
    const bundle = box.bundle(["true"], (config) => {
      config.linux.cgroupsPath = `/${id}`;
    });
    const result = await box.run(["run", "--bundle", bundle.directory, id]);
    expect(result.status).toBe(1);
    expect(result.stderr).toMatch(/cgroup is not empty: 1 process/);
    expect(holder.exitCode).toBe(null);
    holder.kill("SIGKILL");
    await holder.exited;
    Bun.spawnSync(["rmdir", group]);
  });
});
