// Terminals by --console-socket: what the receiver gets, and what the process has.
import { describe, expect, test } from "bun:test";
import { existsSync, readlinkSync, statSync } from "node:fs";
import { join } from "node:path";
import { type Config, withTerminal } from "./config.ts";
import { type Bundle, openSandbox, readStatus, waitFor } from "./harness.ts";
import { openConsoleReceiver, type Terminal } from "./terminals.ts";

const box = openSandbox("terminal-socket");

/** Creates and starts a container with a terminal; hands over the receiver of its console socket. */
async function withConsole(
  args: readonly string[],
  change: ((config: Config) => void) | undefined,
  use: (terminal: Terminal, id: string, bundle: Bundle) => Promise<void>,
): Promise<void> {
  const id = box.id();
  const bundle = box.bundle(args, withTerminal(change));
  const socket = join(bundle.directory, "console.sock");
  const terminal = await openConsoleReceiver(socket);
  try {
    await box.ok(["create", "--bundle", bundle.directory, "--console-socket", socket, id]);
    await box.ok(["start", id]);
    await use(terminal, id, bundle);
  } finally {
    terminal.close();
    await box.run(["delete", "--force", id]);
  }
}

describe("--console-socket", () => {
  test("receives one descriptor, a terminal's master", () =>
    withConsole(["sh", "-c", "echo hello; sleep 100"], undefined, async (terminal) => {
      await terminal.expect(/hello/);
      expect(terminal.report()).toMatch(/received \S+ 1\nisatty True/);
    }));
  test("create sends it before it returns", async () => {
    const id = box.id();
    const bundle = box.bundle(["true"], withTerminal());
    const socket = join(bundle.directory, "console.sock");
    const terminal = await openConsoleReceiver(socket);
    await box.ok(["create", "--bundle", bundle.directory, "--console-socket", socket, id]);
    await waitFor("the descriptor", () => terminal.report().includes("isatty"), 500);
    terminal.close();
    await box.ok(["delete", "--force", id]);
  });
  test("the process's standard streams and controlling terminal are the pty", () =>
    withConsole(
      [
        "sh",
        "-c",
        "tty; test -t 0 && test -t 1 && test -t 2 && echo three; echo there >/dev/tty; readlink /proc/self/fd/0; sleep 100",
      ],
      undefined,
      async (terminal) => {
        await terminal.expect(/\/dev\/(pts\/0|console)/);
        await terminal.expect(/three/);
        await terminal.expect(/there/);
        await terminal.expect(/\/dev\/pts\/0/);
      },
    ));
  test("input reaches the process, and ^C its foreground group", () =>
    withConsole(
      ["sh", "-c", "trap 'echo interrupted; exit' INT; read a; echo got $a; while :; do sleep 0.1; done"],
      undefined,
      async (terminal, id) => {
        terminal.write("typed\n");
        await terminal.expect(/got typed/);
        terminal.write("\u0003");
        await terminal.expect(/interrupted/);
        await waitFor("the end", async () => (await readStatus(box, id)) === "stopped");
      },
    ));
  test("consoleSize", () =>
    withConsole(
      ["sh", "-c", "stty size; sleep 100"],
      (config) => {
        config.process.consoleSize = { height: 33, width: 77 };
      },
      async (terminal) => {
        await terminal.expect(/33 77/);
      },
    ));
  test("/dev/console is the pty, and /dev/pts has the container's own instance", () =>
    withConsole(
      ["sh", "-c", "echo via console >/dev/console; ls /dev/pts; sleep 100"],
      undefined,
      async (terminal) => {
        await terminal.expect(/via console/);
        await terminal.expect(/0\s+ptmx/);
      },
    ));
  test("the pty belongs to the process's user", () =>
    withConsole(
      ["sh", "-c", "stat -c 'owner %u' $(readlink /proc/self/fd/0); echo x >/dev/tty; sleep 100"],
      (config) => {
        config.process.user = { uid: 1000, gid: 1000 };
      },
      async (terminal) => {
        await terminal.expect(/owner 1000/);
      },
    ));
  test("in a user namespace", () =>
    withConsole(
      ["sh", "-c", "tty; echo done; sleep 100"],
      (config) => {
        config.linux.namespaces.push({ type: "user" });
        config.linux.uidMappings = [{ containerID: 0, hostID: 100000, size: 65536 }];
        config.linux.gidMappings = [{ containerID: 0, hostID: 100000, size: 65536 }];
      },
      async (terminal) => {
        await terminal.expect(/done/);
      },
    ));
  test("without a terminal in the config it is refused", async () => {
    const bundle = box.bundle(["true"]);
    const result = await box.run([
      "create",
      "--bundle",
      bundle.directory,
      "--console-socket",
      "/tmp/x.sock",
      box.id(),
    ]);
    expect(result.status).toBe(1);
    expect(result.stderr).toMatch(/cannot use console socket if \S+ will not detach or allocate tty/);
  });
  test("a terminal without it is refused by create and run -d", async () => {
    const bundle = box.bundle(["true"], withTerminal());
    for (const command of [["create"], ["run", "-d"]]) {
      const result = await box.run([...command, "--bundle", bundle.directory, box.id()]);
      expect(result.status).toBe(1);
      expect(result.stderr).toMatch(/cannot allocate tty if \S+ will detach without setting console socket/);
    }
  });
  test("a socket that nobody listens on", async () => {
    const bundle = box.bundle(["true"], withTerminal());
    const result = await box.run([
      "create",
      "--bundle",
      bundle.directory,
      "--console-socket",
      join(bundle.directory, "none"),
      box.id(),
    ]);
    expect(result.status).toBe(1);
    expect(result.stderr).toMatch(/no such file or directory/);
  });
  test("a path longer than a socket address holds works or is a clear error", async () => {
    const bundle = box.bundle(["true"], withTerminal());
    const long = join(bundle.directory, "s".repeat(120));
    const result = await box.run([
      "create",
      "--bundle",
      bundle.directory,
      "--console-socket",
      long,
      box.id(),
    ]);
    expect(result.status).toBe(1);
    expect(result.stderr.length).toBeGreaterThan(10);
  });
});

describe("the container cannot reach the caller's terminal", () => {
  test("its terminal is not a device of the host's devpts", () =>
    withConsole(["sleep", "100"], undefined, async (_terminal, id) => {
      const { pid } = JSON.parse((await box.ok(["state", id])).stdout) as { pid: number };
      expect(readlinkSync(`/proc/${pid}/fd/0`)).toMatch(/^\/dev\/pts\/\d+|^\/\d+$/);
      const inside = statSync(`/proc/${pid}/fd/0`);
      const host = existsSync("/dev/pts/0") ? statSync("/dev/pts/0") : undefined;
      expect(inside.dev).not.toBe(host?.dev ?? -1);
    }));
});
