// linux.seccomp: what a process may not call, when the filter is there, and the agent that answers calls.
import { afterEach, describe, expect, test } from "bun:test";
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Agent, type Answer, openAgent } from "./agents.ts";
import { addUserNamespace, type Config, type Seccomp } from "./config.ts";
import { isPeer, openSandbox, readStatus, waitFor } from "./harness.ts";
import { compileProgram } from "./native.ts";

const isX86 = process.arch === "x64";
const SIGSYS = 31;
const agents: Agent[] = [];
afterEach(() => {
  for (const agent of agents.splice(0)) agent.close();
});
const box = openSandbox("seccomp"); // whose checks come after the agents' end

const deny = (names: string[], more: object = {}): Seccomp => ({
  defaultAction: "SCMP_ACT_ALLOW",
  syscalls: [{ names, action: "SCMP_ACT_ERRNO", ...more }],
});
const under =
  (seccomp: Seccomp, noNewPrivileges = true) =>
  (config: Config): void => {
    config.linux.seccomp = seccomp;
    config.process.noNewPrivileges = noNewPrivileges;
  };

/** `call NUMBER [ARGUMENT...]`: makes a system call and tells its result. */
const CALL = `
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>
#include <unistd.h>
int main(int argc, char **argv) {
  unsigned long a[7] = {0};
  for (int i = 1; i < argc && i < 8; i++) a[i - 1] = strtoul(argv[i], 0, 0);
  errno = 0;
  long result = syscall(a[0], a[1], a[2], a[3], a[4], a[5], a[6]);
  printf("%ld %s\\n", result, result < 0 ? strerror(errno) : "");
  return 0;
}`;

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

async function makeCall(words: readonly (number | string)[], seccomp: Seccomp): Promise<string> {
  const bundle = box.bundle(["/call", ...words.map(String)], under(seccomp));
  copyFileSync(compileProgram(box.directory, "call", CALL), join(bundle.rootfs, "call"));
  return (await box.ok(["run", "--bundle", bundle.directory, box.id()])).stdout.trim();
}

const status = ["grep", "^Seccomp", "/proc/self/status"];

describe("actions", () => {
  for (const [errnoRet, text] of [
    [undefined, "Operation not permitted"],
    [28, "No space left on device"],
    [38, "Function not implemented"],
  ] as const)
    test(`SCMP_ACT_ERRNO with errnoRet ${errnoRet}`, async () => {
      const more = errnoRet === undefined ? {} : { errnoRet };
      const result = await box.look(["mkdir", "/tmp/x"], under(deny(["mkdir", "mkdirat"], more)));
      expect(result.stderr).toContain(text);
      expect(result.status).toBe(1);
    });
  test("SCMP_ACT_KILL_PROCESS, and SCMP_ACT_KILL of the only thread", async () => {
    for (const action of ["SCMP_ACT_KILL_PROCESS", "SCMP_ACT_KILL", "SCMP_ACT_KILL_THREAD"]) {
      const result = await box.look(["mkdir", "/tmp/x"], under(deny(["mkdir", "mkdirat"], { action })));
      expect([action, result.status]).toEqual([action, 128 + SIGSYS]);
    }
  });
  test("SCMP_ACT_TRAP is a signal", async () => {
    const result = await box.look(
      ["sh", "-c", "mkdir /tmp/x; echo $?"],
      under(deny(["mkdir", "mkdirat"], { action: "SCMP_ACT_TRAP" })),
    );
    expect(result.stdout.trim()).toBe(String(128 + SIGSYS));
  });
  test("SCMP_ACT_TRACE without a tracer is ENOSYS", async () => {
    const seccomp = deny(["mkdir", "mkdirat"], { action: "SCMP_ACT_TRACE" });
    expect((await box.look(["mkdir", "/tmp/x"], under(seccomp))).stderr).toContain("not implemented");
  });
  test("SCMP_ACT_LOG lets the call go on", async () => {
    const result = await box.look(
      ["mkdir", "/tmp/x"],
      under(deny(["mkdir", "mkdirat"], { action: "SCMP_ACT_LOG" })),
    );
    expect(result).toMatchObject({ status: 0, stderr: "" });
  });
  test("names that this kernel does not know are left out", async () => {
    const result = await box.look(["mkdir", "/tmp/x"], under(deny(["no_such_call", "mkdir", "mkdirat"])));
    expect(result.stderr).toContain("Operation not permitted");
  });
});

test.skipIf(!isX86)("conditions on arguments", async () => {
  const personality = 135;
  const seccomp: Seccomp = {
    defaultAction: "SCMP_ACT_ALLOW",
    syscalls: [
      {
        names: ["personality"],
        action: "SCMP_ACT_ERRNO",
        errnoRet: 95,
        args: [{ index: 0, value: 8, op: "SCMP_CMP_EQ" }],
      },
    ],
  };
  expect(await makeCall([personality, 8], seccomp)).toBe("-1 Operation not supported");
  expect(await makeCall([personality, "0xffffffff"], seccomp)).toBe("0");
});

test("a call that is newer than the profile gives ENOSYS, one that the profile leaves out the default", async () => {
  const read = JSON.parse(
    readFileSync(join(import.meta.dirname, "../../spec-fixtures/good/docker-28.json"), "utf8"),
  ) as Config;
  const seccomp = read.linux.seccomp as Seccomp;
  const native = isX86 ? seccomp : { ...seccomp, architectures: ["SCMP_ARCH_AARCH64"] };
  expect(await makeCall([4000], native)).toBe("-1 Function not implemented");
  const swapon = isX86 ? 167 : 224;
  expect(await makeCall([swapon], native)).toBe("-1 Operation not permitted");
});

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
    test(`that allows nothing else (${defaultAction}): init ends all the same`, async () => {
      const result = await run({
        defaultAction,
        syscalls: [{ names: ["execve"], action: "SCMP_ACT_ALLOW" }],
      });
      expect(result.status).toBeGreaterThan(128);
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

/** Whether a process may be traced here. */
const canTrace = Bun.spawnSync(["strace", "-o", "/dev/null", "true"]).exitCode === 0;

describe.skipIf(!canTrace || isPeer)("as strace sees it", () => {
  async function trace(calls: string, seccomp: Seccomp, runtime: typeof box = box): Promise<string> {
    const file = join(box.directory, "trace");
    const bundle = box.bundle(["true"], under(seccomp));
    await runtime.ok(["run", "--bundle", bundle.directory, box.id()], {
      prefix: ["strace", "-f", "-qq", "-o", file, "-e", `trace=${calls}`],
    });
    return readFileSync(file, "utf8");
  }
  const flag = (name: string): string => `SECCOMP_FILTER_FLAG_${name}`;
  for (const [flags, printed] of [
    [undefined, flag("SPEC_ALLOW")],
    [[], "0"],
    [[flag("LOG")], flag("LOG")],
    [[flag("TSYNC"), flag("LOG"), flag("SPEC_ALLOW")], ["TSYNC", "LOG", "SPEC_ALLOW"].map(flag).join("|")],
  ] as const)
    test(`flags ${JSON.stringify(flags)}`, async () => {
      const more = flags === undefined ? {} : { flags: [...flags] };
      const text = await trace("seccomp", { ...deny(["mkdir"]), ...more });
      expect(text).toContain(`seccomp(SECCOMP_SET_MODE_FILTER, ${printed}, {`);
    });
  test("a second container with the same profile does not load libseccomp", async () => {
    const seccomp = deny(["mkdir", "chroot"]);
    expect(await trace("openat,open", seccomp)).toContain("libseccomp.so.2");
    expect(await trace("openat,open", { ...seccomp, flags: [] })).not.toContain("libseccomp");
  });
});

test.skipIf(isPeer)("without libseccomp a profile is an error, and nothing is left", async () => {
  const [, library] =
    /=> (\S*libseccomp\.so\.2)$/m.exec(Bun.spawnSync(["ldconfig", "-p"]).stdout.toString()) ?? [];
  const bundle = box.bundle(["true"], under(deny(["rmdir"])));
  const prefix = ["unshare", "-m", "sh", "-c", `mount --bind /dev/null ${library} && exec "$@"`, "sh"];
  const result = await box.run(["run", "--bundle", bundle.directory, box.id()], { prefix });
  expect(result.status).toBe(1);
  expect(result.stderr).toContain(
    "linux.seccomp: a profile takes libseccomp (Debian's package libseccomp2): ",
  );
  bundle.edit((config) => delete config.linux.seccomp);
  await box.ok(["run", "--bundle", bundle.directory, box.id()], { prefix });
});

describe("an agent", () => {
  let count = 0;
  const open = async (answers: Readonly<Record<number, Answer>>) => {
    count += 1;
    const path = join(box.directory, `agent-${count}`);
    const agent = await openAgent(path, answers);
    agents.push(agent);
    return { path, agent };
  };
  const mkdir = isX86 ? 83 : 34;
  const asks = (path: string, names = ["mkdir", "mkdirat"]): Seccomp => ({
    ...deny(names, { action: "SCMP_ACT_NOTIFY" }),
    listenerPath: path,
    listenerMetadata: "of this test",
  });

  for (const noNewPrivileges of [true, false])
    test(`answers, with no_new_privs ${noNewPrivileges}`, async () => {
      const { path, agent } = await open({ [mkdir]: { error: 42 } });
      const id = box.id();
      const bundle = box.bundle(["sh", "-c", "mkdir /tmp/x; sleep 100"], (config) => {
        under(asks(path), noNewPrivileges)(config);
        config.annotations = { "org.example": "yes" };
      });
      await box.ok(["create", "--bundle", bundle.directory, id]);
      expect(isPeer || agent.deliveries().length === 0).toBe(true);
      await box.ok(["start", id]);
      await waitFor("the call", () => agent.calls().length > 0);
      const { pid } = JSON.parse((await box.ok(["state", id])).stdout) as { pid: number };
      const [delivery] = agent.deliveries();
      expect(delivery).toMatchObject({
        descriptors: 1,
        closed: true,
        state: {
          fds: ["seccompFd"],
          pid,
          metadata: "of this test",
          state: { id, pid, bundle: bundle.directory, annotations: { "org.example": "yes" } },
        },
      });
      if (!isPeer) {
        expect(delivery?.state).toMatchObject({ ociVersion: "1.3.0", state: { status: "created" } });
        expect(Object.keys(delivery?.state.state ?? {}).sort()).toEqual([
          "annotations",
          "bundle",
          "id",
          "ociVersion",
          "pid",
          "status",
        ]);
      }
      await box.ok(["delete", "--force", id]);
    });

  test("decides the result", async () => {
    const { path, agent } = await open({ [mkdir]: { error: 42 } });
    const result = await box.look(["mkdir", "/tmp/x"], under(asks(path)));
    expect(result.stderr).toContain("No message of desired type");
    expect(agent.calls()).toEqual([mkdir]);
  });

  test("gets a listener for each exec, with its pid", async () => {
    const { path, agent } = await open({ [mkdir]: { value: 0 } });
    const id = box.id();
    await box.ok(["run", "-d", "--bundle", box.bundle(["sleep", "100"], under(asks(path))).directory, id]);
    expect(await box.run(["exec", id, "mkdir", "/no/such/path"])).toMatchObject({ status: 0, stderr: "" });
    const [first, second] = agent.deliveries();
    expect(agent.deliveries().length).toBe(2);
    expect(second?.state.pid).not.toBe(first?.state.pid);
    expect(second?.state.state).toMatchObject({ id, pid: first?.state.pid, status: "running" });
    await box.ok(["delete", "--force", id]);
  });

  test("may be asked about everything but write that init still calls", async () => {
    const names = [
      "read",
      "prctl",
      "setgroups",
      "setgid",
      "setuid",
      "capset",
      "execve",
      "sendto",
      "close",
      "mmap",
    ];
    for (const noNewPrivileges of [true, false]) {
      const { path, agent } = await open({});
      const result = await box.look(["true"], under(asks(path, names), noNewPrivileges));
      expect(result).toMatchObject({ status: 0, stderr: "" });
      expect(agent.calls().length).toBeGreaterThan(1);
    }
  });

  test.skipIf(!canTrace || isPeer)("with flags that need it", async () => {
    const { path } = await open({});
    const flags = ["SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"];
    const result = await box.look(status, under({ ...asks(path), flags }));
    expect(result.stdout).toBe("Seccomp:\t2\nSeccomp_filters:\t1\n");
  });

  test("may be named by a path that counts from the bundle", async () => {
    const bundle = box.bundle(["mkdir", "/tmp/x"], under(asks("agent")));
    const agent = await openAgent(join(bundle.directory, "agent"), { [mkdir]: { error: 42 } });
    agents.push(agent);
    const result = await box.run(["run", "--bundle", bundle.directory, box.id()], { cwd: "/" });
    expect(result.stderr).toContain("No message of desired type");
  });

  test("that is not there is an error of the start, and the container is gone or stopped", async () => {
    const path = join(box.directory, "nobody");
    const result = await box.look(["true"], under(asks(path)));
    expect(result.status).toBe(1);
    expect(result.stderr).toMatch(/seccomp agent.*no such file or directory/);
    if (isPeer) return;
    const id = box.id();
    await box.ok(["create", "--bundle", box.bundle(["true"], under(asks(path))).directory, id]);
    expect((await box.run(["start", id])).stderr.replaceAll("\\", "")).toContain(
      `linux.seccomp.listenerPath: connect to the seccomp agent: connect({AF_UNIX, "${path}"}): `,
    );
    await waitFor("the container's end", async () => (await readStatus(box, id)) === "stopped");
    await box.ok(["delete", id]);
  });

  for (const [name, change, text] of [
    ["write", { syscalls: [{ names: ["write"], action: "SCMP_ACT_NOTIFY" }] }, /write/],
    ["the default action", { defaultAction: "SCMP_ACT_NOTIFY" }, /default/],
  ] as const)
    test(`is refused for ${name} (H9)`, async () => {
      const seccomp = { ...asks("/nowhere"), ...change } as Seccomp;
      const result = await box.look(["true"], under(seccomp));
      expect(result.status).toBe(1);
      expect(result.stderr).toMatch(text);
      expect(result.stderr).toContain("SCMP_ACT_NOTIFY");
    });
});
