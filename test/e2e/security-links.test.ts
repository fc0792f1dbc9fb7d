// Real attacks of a hostile image or container on the runtime and the host: links in the image, also those that come
// while it is mounted on. Every attack, numbered as its CVE, must leave the host as it was, whether the container is
// refused or runs.
import { describe, expect, test } from "bun:test";
import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openAttackSandbox, ours, replaceByLink, withoutDev } from "./attacks.ts";
import { isPeer } from "./harness.ts";
import { compileProgram } from "./native.ts";

const { box, makeTarget, runBundle } = openAttackSandbox("security-links");

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
