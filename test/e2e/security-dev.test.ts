// Real attacks of a hostile image or container on the runtime and the host: the image's /dev, with its null and its
// console. Every one, numbered as its CVE, must leave the host as it was, whether the container is refused or runs.
import { describe, expect, test } from "bun:test";
import { copyFileSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openAttackSandbox, ours, replaceByLink, withoutDev } from "./attacks.ts";
import { compileProgram } from "./native.ts";
import { openConsoleReceiver } from "./terminals.ts";

const { box, makeTarget } = openAttackSandbox("security-dev");

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
