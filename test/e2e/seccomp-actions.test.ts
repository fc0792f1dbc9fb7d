// linux.seccomp: what a process may not call, and the filter as the kernel gets it.
import { describe, expect, test } from "bun:test";
import { copyFileSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Config, Seccomp } from "./config.ts";
import { isPeer, openSandbox, readStatus } from "./harness.ts";
import { compileProgram } from "./native.ts";
import { canTrace, deny, isX86, under } from "./seccomp.ts";

const box = openSandbox("seccomp-actions");

const SIGSYS = 31;

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

async function makeCall(words: readonly (number | string)[], seccomp: Seccomp): Promise<string> {
  const bundle = box.bundle(["/call", ...words.map(String)], under(seccomp));
  copyFileSync(compileProgram(box.directory, "call", CALL), join(bundle.rootfs, "call"));
  return (await box.ok(["run", "--bundle", bundle.directory, box.id()])).stdout.trim();
}

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

for (const action of ["SCMP_ACT_ERRNO", "SCMP_ACT_KILL_PROCESS"] as const)
  test.skipIf(isPeer)(
    `a filter under which init cannot even execute the program is told by start: ${action}`,
    async () => {
      const id = box.id();
      const bundle = box.bundle(["true"], under({ defaultAction: action, architectures: [], syscalls: [] }));
      await box.ok(["create", "--bundle", bundle.directory, id]);
      const result = await box.run(["start", id]);
      expect(result.status).toBe(1);
      expect(result.stderr).toMatch(/linux\.seccomp|before it executed the program/);
      expect(await readStatus(box, id)).toBe("stopped");
      await box.ok(["delete", id]);
    },
  );

test.skipIf(isPeer)("run tells each time that init died of its filter in execve", async () => {
  const bundle = box.bundle(["true"], under(deny(["execve"], { action: "SCMP_ACT_KILL_PROCESS" })));
  for (let i = 0; i < 10; i++) {
    const result = await box.run(["run", "--bundle", bundle.directory, box.id()]);
    expect(result.status).toBe(1);
    expect(result.stderr).toContain("ended before it executed the program");
  }
});
