// The start socket, with an init that waits on it.
import { afterAll, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { holdProcess } from "../../src/compile/process.ts";
import { closeFd } from "../../src/host/fd.ts";
import { sendAll } from "../../src/host/init-socket.ts";
import { launchInit } from "../../src/host/launch.ts";
import { readArchitecture } from "../../src/host/probe.ts";
import { exitStatus, reapChild } from "../../src/host/process.ts";
import { closeSession, encodeSteps, openSession, type Session } from "../../src/host/session.ts";
import { openStartSocket, sendStartBatch } from "../../src/host/start-socket.ts";
import { PlanBuilder } from "../../src/plan/build.ts";
import type { InitStep } from "../../src/plan/step.ts";
import { context } from "../init/init.ts";
import { countDescriptors, until } from "./leaks.ts";

const folder = mkdtempSync(join(tmpdir(), "tsrunc-start-"));
afterAll(() => rmSync(folder, { recursive: true }));

let count = 0;
function makeDir(name = ""): string {
  const dir = join(folder, String(count++) + name);
  mkdirSync(dir, { mode: 0o700 });
  return dir;
}

const encode = (session: Session, build: (p: PlanBuilder) => void): Uint8Array => {
  const p = new PlanBuilder();
  build(p);
  return encodeSteps(session, p.build().steps as InitStep[], 0).bytes;
};

/** An init that waits for start in `dir`, as after `create`, on a socket of that number. */
function hold(dir: string, socket = openStartSocket(context, dir)): Session {
  const init = launchInit(context, { stdio: [0, 1, 2], pass: [socket] });
  closeFd(init.libc, socket);
  const session = openSession(init, readArchitecture());
  sendAll(
    session,
    encode(session, (p) => holdProcess(p, socket, [])),
  );
  closeSession(session);
  return session;
}

const end = ({ init }: Session): number => exitStatus(reapChild(init.libc, init.launcherPid) ?? -1);

const execute = (p: PlanBuilder, path: string, args: readonly string[]): void => {
  p.call("close_range", [3, 0xffffffff, 4]);
  p.call("execve", [path, { kind: "strings", values: args }, { kind: "strings", values: [] }]);
};

for (const name of ["", "-".repeat(150)])
  describe(`start.sock in a directory of ${name === "" ? "a short" : "a long"} path`, () => {
    test("only its owner may connect", () => {
      const dir = makeDir(name);
      const before = countDescriptors();
      const socket = openStartSocket(context, dir);
      expect(statSync(join(dir, "start.sock")).mode & 0o777).toBe(0o600);
      const session = hold(makeDir());
      closeFd(session.init.libc, socket);
      process.kill(session.init.launcherPid, "SIGKILL");
      end(session);
      expect(countDescriptors()).toBe(before);
    });
    test("a batch that executes", () => {
      const dir = makeDir(name);
      const session = hold(dir);
      const before = countDescriptors();
      const batch = encode(session, (p) => execute(p, "/bin/sh", ["sh", "-c", "exit 7"]));
      expect(sendStartBatch(context, dir, batch, refuseListener)).toEqual({ kind: "started" });
      expect(countDescriptors()).toBe(before);
      expect(existsSync(join(dir, "start.sock"))).toBe(false);
      expect(end(session)).toBe(7);
    });
    test("a batch with a step that fails", () => {
      const dir = makeDir(name);
      const session = hold(dir);
      const batch = encode(session, (p) => execute(p, "/nope", ["nope"]));
      expect(sendStartBatch(context, dir, batch, refuseListener)).toEqual({
        kind: "failed",
        index: 1,
        errno: 2,
      });
      expect(end(session)).toBe(1);
    });
    test("nobody listens any more", () => {
      const dir = makeDir(name);
      const session = hold(dir);
      process.kill(session.init.launcherPid, "SIGKILL");
      end(session);
      expect(sendStartBatch(context, dir, new Uint8Array(32), refuseListener)).toEqual({ kind: "absent" });
      expect(sendStartBatch(context, makeDir(name), new Uint8Array(32), refuseListener)).toEqual({
        kind: "absent",
      });
    });
  });

function refuseListener(): void {
  throw new Error("no batch here has a listener");
}

test("a listener that does not come in time, as when init's helper is killed", () => {
  const dir = makeDir();
  const socket = openStartSocket(context, dir);
  const session = hold(dir, socket);
  const before = countDescriptors();
  const batch = encode(session, (p) => {
    p.call("read", [socket, p.buffer(8), 1], { name: "length" });
    p.call("exit_group", [9]);
  });
  expect(() => sendStartBatch(context, dir, batch, refuseListener, 200)).toThrow(
    "linux.seccomp.listenerPath: init did not hand the seccomp listener over in time",
  );
  expect(countDescriptors()).toBe(before);
  expect(end(session)).toBe(9); // it has seen the end of the connection
});

test("a batch of megabytes", () => {
  const dir = makeDir();
  const session = hold(dir);
  const batch = encode(session, (p) => {
    p.call("sendto", [0, "x".repeat(3_000_000), 0, 0, 0, 0], { tolerate: ["ENOTSOCK"] });
    execute(p, "/bin/sh", ["sh", "-c", "exit 8"]);
  });
  expect(sendStartBatch(context, dir, batch, refuseListener)).toEqual({ kind: "started" });
  expect(end(session)).toBe(8);
});

test("a second socket in the same directory is refused", () => {
  const dir = makeDir();
  const session = hold(dir);
  expect(() => openStartSocket(context, dir)).toThrow("address already in use");
  process.kill(session.init.launcherPid, "SIGTERM"); // pid 1 of a container can be stopped while it waits
  expect(end(session)).toBe(128 + 15);
});

test("init sleeps while it waits", async () => {
  const session = hold(makeDir());
  const status = (): string => readFileSync(`/proc/${session.init.launcherPid}/status`, "utf8");
  await until("init to sleep", () => /^State:\tS/m.test(status()));
  process.kill(session.init.launcherPid, "SIGKILL");
  end(session);
});
