// A container in a service of Type=notify: what its program tells goes on to the service manager, and nothing more.
import { describe, expect, test } from "bun:test";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { addUserNamespace } from "./config.ts";
import { type Bundle, isPeer, openSandbox, readStatus, waitFor } from "./harness.ts";
import { compileProgram } from "./native.ts";

const box = openSandbox("notify");
let count = 0;

/** Waits, sends its second argument to $NOTIFY_SOCKET, and sleeps for as many seconds as its first says. */
const SOURCE = `
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
int main(int argc, char **argv) {
  struct sockaddr_un a = { AF_UNIX };
  int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
  strncpy(a.sun_path, getenv("NOTIFY_SOCKET"), sizeof a.sun_path - 1);
  usleep(300000);
  if (argc > 2 && sendto(fd, argv[2], strlen(argv[2]), 0, (void *)&a, sizeof a) < 0) return perror("sendto"), 1;
  sleep(atoi(argv[1]));
  return 0;
}
`;

async function openManager(prefix = "") {
  const path = `${prefix}${join(box.directory, `manager-${++count}`)}`;
  const child = spawn("python3", [join(import.meta.dirname, "peers/notify.py"), path], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  child.stdout.on("data", (data) => {
    output += data;
  });
  const messages = (): string[] =>
    output
      .trim()
      .split("\n")
      .slice(1)
      .map((line) => JSON.parse(line));
  await waitFor("the manager", () => output.startsWith("ready"));
  const end = async (): Promise<void> => {
    child.kill();
    await once(child, "exit");
  };
  return { env: { ...process.env, NOTIFY_SOCKET: path }, messages, end };
}

function makeBundle(...args: string[]): Bundle {
  const bundle = box.bundle(["/bin/notify", ...args]);
  cpSync(compileProgram(box.directory, "notify", SOURCE), join(bundle.rootfs, "bin/notify"));
  return bundle;
}

describe.skipIf(isPeer)("NOTIFY_SOCKET", () => {
  test("run --detach ends when the container is ready, and gives the manager its process", async () => {
    const { env, messages, end } = await openManager();
    const id = box.id();
    const bundle = makeBundle("100", "STATUS=up\nREADY=1\nMAINPID=1\n");
    await box.ok(["run", "--detach", "--bundle", bundle.directory, id], { env });
    const { pid } = JSON.parse((await box.ok(["state", id])).stdout);
    expect(messages()).toEqual(["READY=1\n", `MAINPID=${pid}\n`, "BARRIER=1"]);
    await box.ok(["delete", "--force", id]);
    await end();
  });

  test("create and start, in their own time", async () => {
    const { env, messages, end } = await openManager();
    const id = box.id();
    await box.ok(["create", "--bundle", makeBundle("100", "READY=1").directory, id], { env });
    expect(messages()).toEqual([]);
    await box.ok(["start", id], { env });
    expect(messages().length).toBe(3);
    await box.ok(["delete", "--force", id]);
    await end();
  });

  test("in the foreground only READY=1 goes on: the service's process is tsrunc", async () => {
    const { env, messages, end } = await openManager();
    await box.ok(["run", "--bundle", makeBundle("1", "READY=1\nMAINPID=1\n").directory, box.id()], { env });
    expect(messages()).toEqual(["READY=1\n"]);
    await end();
  });

  test("a container that is never ready holds nobody longer than it lives", async () => {
    const { env, messages, end } = await openManager();
    const id = box.id();
    await box.ok(["run", "--detach", "--bundle", makeBundle("0").directory, id], { env });
    expect(messages()).toEqual([]);
    await box.ok(["delete", id]);
    await end();
  });

  test("an ordinary user in a user namespace, a manager with an abstract name", async () => {
    const { env, messages, end } = await openManager("@");
    const id = box.id();
    const bundle = makeBundle("100", "READY=1");
    mkdirSync(join(bundle.rootfs, "run/notify"));
    bundle.edit((config) => {
      addUserNamespace(config);
      config.process.user = { uid: 1000, gid: 1000 };
    });
    await box.ok(["run", "--detach", "--bundle", bundle.directory, id], { env });
    expect(messages()[0]).toBe("READY=1\n");
    await box.ok(["delete", "--force", id]);
    await end();
  });

  test("a manager that is not there is a warning: the container is started all the same", async () => {
    const id = box.id();
    const env = { ...process.env, NOTIFY_SOCKET: join(box.directory, "absent") } as Record<string, string>;
    await box.ok(["create", "--bundle", makeBundle("100").directory, id], { env });
    const result = await box.run(["start", id], { env });
    expect(result.status).toBe(0);
    expect(result.stderr.replaceAll("\\", "")).toContain(
      `NOTIFY_SOCKET: connect({AF_UNIX, "${env.NOTIFY_SOCKET}"}): no such file or directory`,
    );
    expect(await readStatus(box, id)).toBe("running");
    await box.ok(["delete", "--force", id]);
  });

  test("without it there is no mount and no variable", async () => {
    const result = await box.look(["env"]);
    expect(result.stdout).not.toContain("NOTIFY_SOCKET");
    expect(existsSync("/run/notify")).toBe(false);
  });
});
