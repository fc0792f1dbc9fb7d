// What a container's process has of the caller: attributes, the session keyring, descriptors.
import { describe, expect, test } from "bun:test";
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isPeer, openSandbox } from "./harness.ts";
import { compileProgram } from "./native.ts";
import { makeStatusReader } from "./status-file.ts";

const box = openSandbox("process-inherited");
const readStatusFile = makeStatusReader(box);
const ours = test.skipIf(isPeer);

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
  ours("LISTEN_FDS that is no number counts as none, and takes nothing from --preserve-fds", async () => {
    const bundle = box.bundle(["sh", "-c", "echo .$LISTEN_FDS.$LISTEN_PID.; ls /proc/$$/fd; true"]);
    const result = await box.run(["run", "--preserve-fds", "1", "--bundle", bundle.directory, box.id()], {
      prefix: ["sh", "-c", 'exec 3</etc/passwd 4</etc/group; LISTEN_FDS=many exec "$@"', "sh"],
    });
    expect(result.stdout).toBe("...\n0\n1\n2\n3\n");
  });
});
