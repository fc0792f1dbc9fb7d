// init for aarch64, built with the cross compiler and run by qemu-user on this machine: the same batches, encoded with
// that architecture's numbers and flags. What qemu-user does not know (clone3) is not tried.
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadLibc } from "../../native-bindings/libc.ts";
import { finish } from "../../src/host/conversation.ts";
import { discussExecution } from "../../src/host/execution.ts";
import { closeFd } from "../../src/host/fd.ts";
import { closeSession, openSession, runBatch, type Session } from "../../src/host/session.ts";
import { openSocketPair } from "../../src/host/unix-socket.ts";
import { AT_FDCWD, load, openFlags, openHow, PlanBuilder } from "../../src/plan/build.ts";
import type { InitStep } from "../../src/plan/step.ts";
import { installDir } from "./init.ts";

const qemu = Bun.which("qemu-aarch64-static");
const compiler = Bun.which("aarch64-linux-gnu-gcc");
const folder = mkdtempSync(join(tmpdir(), "tsrunc-aarch64-"));
const init = join(folder, "init-aarch64");
const libc = loadLibc(installDir);

beforeAll(() => {
  if (!compiler) return;
  const script = join(import.meta.dirname, "../../native-bindings/init/build.mjs");
  const built = Bun.spawnSync(["node", script, folder, "aarch64"]);
  if (!built.success) throw new Error(built.stderr.toString());
  process.stdout.write(built.stdout.toString().replace(`${folder}/`, ""));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Runs batches in an emulated init. */
async function withEmulated<T>(use: (session: Session) => T): Promise<T> {
  const [host, guest] = openSocketPair(libc, "test");
  const child = Bun.spawn([qemu as string, init, "3"], { stdio: ["ignore", "inherit", "inherit", guest] });
  closeFd(libc, guest);
  const session = openSession({ libc, launcherPid: child.pid, socket: host, initSocket: 3 }, "aarch64");
  try {
    return use(session);
  } finally {
    closeSession(session);
    await child.exited;
  }
}

function run(session: Session, build: (p: PlanBuilder) => void): void {
  const p = new PlanBuilder();
  build(p);
  runBatch(session, p.build().steps as InitStep[], 0);
}

describe.skipIf(!compiler)("init for aarch64", () => {
  test("is static, without a libc, and small", () => {
    const file = Bun.file(init);
    expect(file.size).toBeLessThan(10_000);
    const dynamic = Bun.spawnSync(["aarch64-linux-gnu-readelf", "-hld", init]).stdout.toString();
    expect(dynamic).toContain("AArch64");
    expect(dynamic).toContain("There is no dynamic section in this file");
    expect(dynamic).not.toContain("INTERP");
  });

  describe.skipIf(!qemu)("under qemu-user", () => {
    test("calls, results, buffers, and open flags of the architecture", async () => {
      await withEmulated((session) =>
        run(session, (p) => {
          // O_DIRECTORY has another value there: on a file it must fail, on a directory not.
          const flags = openFlags("O_RDONLY", "O_DIRECTORY", "O_CLOEXEC");
          p.call("openat", [AT_FDCWD, "/etc/hostname", flags], { tolerate: ["ENOTDIR"] });
          const directory = p.call("openat", [AT_FDCWD, "/etc", flags]);
          const file = p.call(
            "openat2",
            [directory, "hostname", openHow(openFlags("O_RDONLY", "O_CLOEXEC"), 0), 24],
            {
              tolerate: ["ENOSYS"], // qemu-user before 8
            },
          );
          p.call("close", [directory]);
          p.call("close", [file], { tolerate: ["EBADF"] });
          expect(p.length).toBe(4); // the directory is closed by the step that uses it
        }),
      );
      const value = await withEmulated((session) => {
        const pair = { kind: "buffer", name: "pair", size: 8 } as const;
        const read = { kind: "buffer", name: "read", size: 8 } as const;
        run(session, (p) => {
          p.call("pipe2", [pair, openFlags("O_CLOEXEC")]);
          p.call("write", [load(pair, 4, 4, "writer"), "hello", 5]);
          p.call("read", [load(pair, 0, 4, "reader"), read, 8]);
        });
        return { text: new TextDecoder().decode(session.outputs.get(read)?.subarray(0, 5)), ...session };
      });
      expect(value.text).toBe("hello");
      expect(value.results.get(1)).toBe(5n);
    });

    test("a failed step is told with its errno; tolerated ones skip forward", async () => {
      await withEmulated((session) => {
        expect(() =>
          run(session, (p) => {
            p.call("getppid", []);
            p.at("mounts[0]", "look", () =>
              p.call("openat", [AT_FDCWD, "/nonexistent", openFlags("O_RDONLY", "O_CLOEXEC")]),
            );
          }),
        ).toThrow(
          'mounts[0]: look: openat(AT_FDCWD, "/nonexistent", O_RDONLY|O_CLOEXEC): no such file or directory',
        );
      });
      const value = await withEmulated((session) => {
        run(session, (p) => {
          p.call("chdir", ["/nonexistent"], { tolerate: ["ENOENT"], onError: () => p.call("chdir", ["/"]) });
          p.check(5, 0xff, 5, 22);
        });
        return session.results;
      });
      expect(value.get(0)).toBe(-2n);
      expect(value.get(1)).toBe(0n);
    });

    test("the number of a batch has 32 bits", async () => {
      await withEmulated((session) => {
        session.log.count = 0xffff_fffe;
        for (let i = 0; i < 2; i++) run(session, (p) => void p.call("getpid", []));
        expect(session.log.count).toBe(0x1_0000_0000);
      });
    });

    test("ends in execve", async () => {
      await withEmulated((session) => {
        const p = new PlanBuilder();
        const strings = (values: readonly string[]) => ({ kind: "strings", values }) as const;
        p.call("close_range", [3, 0xffffffff, 4], { tolerate: ["ENOSYS"] });
        p.call("execve", ["/nonexistent", strings(["x"]), strings([])]);
        expect(() => finish(discussExecution(session, p.build().steps as InitStep[], () => {}))).toThrow(
          "no such file or directory",
        );
      });
    });
  });
});
