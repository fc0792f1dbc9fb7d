// Where openat2(2) is forbidden (a filter of an outer container's engine, say) look-ups in a hostile root file system
// cannot be made safely. tsrunc then fails closed: a clear error, nothing on the host touched, nothing left.
import { beforeAll, expect, test } from "bun:test";
import { mkdirSync, readdirSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import type { Config } from "./config.ts";
import { type Bundle, executable, isPeer, openSandbox } from "./harness.ts";
import { compileProgram } from "./native.ts";

const box = openSandbox("openat2");
const ours = test.skipIf(isPeer);

/** Makes openat2 (437 on every architecture) answer ENOSYS, in itself and in the program that it executes. */
const SOURCE = `
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <unistd.h>
int main(int argc, char **argv) {
  struct sock_filter code[] = {
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 437, 0, 1),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program = { 4, code };
  if (argc < 2 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program)) return 125;
  execv(argv[1], argv + 1);
  return 126;
}
`;

let launcher: string;
beforeAll(() => {
  launcher = compileProgram(box.directory, "without-openat2", SOURCE);
});

function replaceByLink(bundle: Bundle, path: string, target: string): void {
  rmSync(join(bundle.rootfs, path), { recursive: true, force: true });
  symlinkSync(target, join(bundle.rootfs, path));
}

const withoutMounts = (config: Config, below: string): void => {
  config.mounts = config.mounts.filter((m) => !m.destination.startsWith(below));
};

/** Attacks by links of the image; `target` is a directory of the host. */
const attacks: Record<string, (bundle: Bundle, target: string) => void> = {
  "none at all": () => {},
  "/dev is a link": (bundle, target) => {
    replaceByLink(bundle, "dev", target);
    bundle.edit((config) => withoutMounts(config, "/dev"));
  },
  "/proc is a link": (bundle, target) => replaceByLink(bundle, "proc", target),
  "the parent of a mount's destination is a link": (bundle, target) => {
    replaceByLink(bundle, "var", target);
    bundle.edit((config) => {
      config.mounts.push({ destination: "/var/made", type: "tmpfs", source: "t" });
    });
  },
  "the working directory is behind a link": (bundle, target) => {
    replaceByLink(bundle, "home", target);
    bundle.edit((config) => {
      config.process.cwd = "/home/made";
    });
  },
};

for (const [name, attack] of Object.entries(attacks))
  ours(`without openat2, and with an attack: ${name}`, async () => {
    const target = join(box.directory, `target-${Object.keys(attacks).indexOf(name)}`);
    mkdirSync(target);
    const bundle = box.bundle(["true"]);
    attack(bundle, target);
    const args = ["--root", box.root, "run", "--bundle", bundle.directory, box.id()];
    const { exitCode, stderr } = Bun.spawnSync([launcher, executable, ...args]);
    expect(stderr.toString()).toMatch(/openat2\(.*\): function not implemented/);
    expect(exitCode).toBe(1);
    expect(readdirSync(target)).toEqual([]);
    // The sandbox looks for mounts, cgroups, processes and state after each test.
  });
