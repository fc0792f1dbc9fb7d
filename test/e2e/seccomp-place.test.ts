// linux.seccomp: when the filter is there, for which processes, and what a start needs under it.
import { describe, expect, test } from "bun:test";
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { addUserNamespace, type Seccomp } from "./config.ts";
import { isPeer, openSandbox } from "./harness.ts";
import { deny, isX86, status, under } from "./seccomp.ts";

const box = openSandbox("seccomp-place");

/** Ends with status 7 and needs no other call for it; without a C library. */
const BARE = isX86
  ? `void _start(void) { __asm__ volatile("mov $231, %eax; mov $7, %edi; syscall"); }`
  : `void _start(void) { __asm__ volatile("mov x8, #94; mov x0, #7; svc 0"); }`;

function makeBare(): string {
  const program = join(box.directory, "bare");
  writeFileSync(`${program}.c`, BARE);
  const gcc = Bun.spawnSync(["gcc", "-O1", "-static", "-nostdlib", "-o", program, `${program}.c`]);
  expect(gcc.exitCode).toBe(0);
  return program;
}

describe("the filter's place (H7)", () => {
  test("with no_new_privs nothing but execve comes after it", async () => {
    const seccomp: Seccomp = {
      defaultAction: "SCMP_ACT_KILL_PROCESS",
      syscalls: [{ names: ["execve", "exit_group"], action: "SCMP_ACT_ALLOW" }],
    };
    const bundle = box.bundle(["/bare"], under(seccomp));
    copyFileSync(makeBare(), join(bundle.rootfs, "bare"));
    const run = await box.run(["run", "--bundle", bundle.directory, box.id()]);
    expect(run).toMatchObject({ status: 7, stderr: "" });
  });
  test("with no_new_privs a profile without setgroups, capset, close_range and fstat starts", async () => {
    const seccomp = deny(["setgroups", "capset", "close_range", "fstat"], {
      action: "SCMP_ACT_KILL_PROCESS",
    });
    const bundle = box.bundle(["/bare"], under(seccomp));
    copyFileSync(makeBare(), join(bundle.rootfs, "bare"));
    expect((await box.run(["run", "--bundle", bundle.directory, box.id()])).status).toBe(7);
  });
  for (const noNewPrivileges of [true, false]) {
    const name = `no_new_privs ${noNewPrivileges}`;
    test(`${name}: one filter, for root and for a user without capabilities`, async () => {
      for (const uid of [0, 1000]) {
        const result = await box.look(status, (config) => {
          under(deny(["mkdir"]), noNewPrivileges)(config);
          config.process.user = { uid, gid: uid };
          config.process.capabilities = {};
        });
        expect(result.stdout).toBe("Seccomp:\t2\nSeccomp_filters:\t1\n");
      }
    });
    test(`${name}: in a user namespace`, async () => {
      const result = await box.look(status, (config) => {
        addUserNamespace(config);
        under(deny(["mkdir"]), noNewPrivileges)(config);
      });
      expect(result.stdout).toBe("Seccomp:\t2\nSeccomp_filters:\t1\n");
    });
  }
  test("without no_new_privs what init calls under it is what runc calls", async () => {
    const names = ["prctl", "setgroups", "setgid", "setuid", "capset", "execve", "exit_group"];
    const seccomp: Seccomp = {
      defaultAction: "SCMP_ACT_KILL_PROCESS",
      syscalls: [{ names, action: "SCMP_ACT_ALLOW" }],
    };
    const bundle = box.bundle(["/bare"], (config) => {
      under(seccomp, false)(config);
      config.process.user = { uid: 1000, gid: 1000 };
    });
    copyFileSync(makeBare(), join(bundle.rootfs, "bare"));
    expect((await box.run(["run", "--bundle", bundle.directory, box.id()])).status).toBe(7);
  });
});

describe("a program that cannot be executed, under a filter", () => {
  /** execve fails with ENOEXEC: no check before can see that. */
  const run = async (seccomp: Seccomp) => {
    const bundle = box.bundle(["/text"], under(seccomp));
    writeFileSync(join(bundle.rootfs, "text"), "no program\n", { mode: 0o755 });
    return box.run(["run", "--bundle", bundle.directory, box.id()]);
  };
  test("that allows write: the error is told", async () => {
    const result = await run({
      defaultAction: "SCMP_ACT_KILL_PROCESS",
      syscalls: [{ names: ["execve", "write", "read", "munmap", "exit_group"], action: "SCMP_ACT_ALLOW" }],
    });
    expect(result.stderr.replaceAll("\\", "")).toContain('exec "/text": exec format error');
    expect(result.status).toBe(1);
  });
  for (const defaultAction of ["SCMP_ACT_ERRNO", "SCMP_ACT_KILL_PROCESS"])
    test(`that allows nothing else (${defaultAction}): init ends all the same, and it is told`, async () => {
      const result = await run({
        defaultAction,
        syscalls: [{ names: ["execve"], action: "SCMP_ACT_ALLOW" }],
      });
      expect(result.status).not.toBe(0);
      if (!isPeer) expect(result.stderr).toContain("ended before it executed the program");
    });
});

describe("exec", () => {
  test("has the container's filter, also with a process of its own", async () => {
    const id = box.id();
    const bundle = box.bundle(["sleep", "100"], under(deny(["mkdir", "mkdirat"])));
    await box.ok(["run", "-d", "--bundle", bundle.directory, id]);
    expect((await box.run(["exec", id, "mkdir", "/tmp/x"])).stderr).toContain("Operation not permitted");
    const file = join(box.directory, "process.json");
    for (const noNewPrivileges of [true, false]) {
      writeFileSync(
        file,
        JSON.stringify({
          args: status,
          cwd: "/",
          env: ["PATH=/bin"],
          user: { uid: 0, gid: 0 },
          noNewPrivileges,
        }),
      );
      expect((await box.ok(["exec", "--process", file, id])).stdout).toBe(
        "Seccomp:\t2\nSeccomp_filters:\t1\n",
      );
    }
    await box.ok(["delete", "--force", id]);
  });
});

test.skipIf(isPeer)("startContainer hooks run under the filter", async () => {
  for (const noNewPrivileges of [true, false]) {
    const bundle = box.bundle(["true"], (config) => {
      under(deny(["mkdir", "mkdirat"]), noNewPrivileges)(config);
      const script = "grep ^Seccomp: /proc/self/status >/hook; mkdir /tmp/x 2>>/hook; exit 0";
      config.hooks = {
        startContainer: [{ path: "/bin/sh", args: ["sh", "-c", script], env: ["PATH=/bin"] }],
      };
    });
    await box.ok(["run", "--bundle", bundle.directory, box.id()]);
    expect(readFileSync(join(bundle.rootfs, "hook"), "utf8")).toMatch(/^Seccomp:\t2\n.*not permitted\n$/);
  }
});
