// Masked and read-only paths, and sysctl, as the process finds them.
import { describe, expect, test } from "bun:test";
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { dropNamespace } from "./config.ts";
import { openSandbox } from "./harness.ts";

const box = openSandbox("rootfs-paths");

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

describe("the root", () => {
  const script =
    "touch /new; touch /etc/new; touch /dev/new && echo dev; cut -d' ' -f5 /proc/self/mountinfo | grep -c '^/$'";
  for (const path of ["/", "/.", "//", "/..", "/sys/..", "/rootlink", "/up"])
    test(`${path} is made read-only, and not what is mounted below`, async () => {
      const bundle = box.bundle(["sh", "-c", script], (config) => {
        config.linux.readonlyPaths = ["/not/there", path, "/etc"];
        config.linux.maskedPaths = ["/tmp"];
      });
      symlinkSync("/", join(bundle.rootfs, "rootlink"));
      symlinkSync("usr/../../..", join(bundle.rootfs, "up"));
      const result = await box.run(["run", "--bundle", bundle.directory, box.id()]);
      expect(result.stderr.match(/Read-only file system/g)?.length).toBe(2);
      expect(result.stdout).toMatch(/^dev\n/);
      expect(result.stdout).toMatch(/\n1\n$/);
    });
  test("is not masked", async () => {
    for (const [path, text] of [
      ["/", "is the root, which cannot be masked"],
      ["/sys/..", "is the root, which cannot be masked"],
      ["/rootlink", "linux.maskedPaths: /rootlink leads to the root, which cannot be masked"],
    ] as const) {
      const bundle = box.bundle(["true"], (config) => {
        config.linux.maskedPaths = ["/not/there", path];
      });
      symlinkSync("/", join(bundle.rootfs, "rootlink"));
      const result = await box.run(["run", "--bundle", bundle.directory, box.id()]);
      expect(result.stderr).toContain(text);
      expect(result.status).toBe(1);
    }
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
