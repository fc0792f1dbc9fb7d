// The sockets that a console goes through: from init to the runtime, and to the caller's receiver.
import { afterAll, describe, expect, test } from "bun:test";
import { closeSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadLibc } from "../../native-bindings/libc.ts";
import { connectConsoleSocket, openConsolePair, receiveMaster } from "../../src/host/console.ts";
import { closeFd } from "../../src/host/fd.ts";
import { context, installDir } from "../init/init.ts";
import { countDescriptors } from "./leaks.ts";

const libc = loadLibc(installDir);
const folder = mkdtempSync(join(tmpdir(), "tsrunc-console-"));
afterAll(() => rmSync(folder, { recursive: true }));

describe("receiveMaster", () => {
  const sendNothing = (): void => {
    const pair = openConsolePair(libc);
    libc.send(pair.init, new Uint8Array([1]), 1, 0);
    closeFd(libc, pair.init);
    try {
      receiveMaster(libc, pair.host);
    } finally {
      closeFd(libc, pair.host);
    }
  };
  test("refuses a message without a descriptor", () => {
    expect(sendNothing).toThrow("receive the terminal: 0 descriptors came instead of one");
  });
});

describe("connectConsoleSocket", () => {
  const listen = (path: string): { stop(): void } =>
    Bun.listen({ unix: path, socket: { data: () => {} } }) as unknown as { stop(): void };
  test("takes a path relative to the caller's directory", () => {
    const server = listen(join(folder, "short.sock"));
    closeSync(connectConsoleSocket({ ...context, cwd: folder }, "short.sock"));
    server.stop();
  });
  test("takes a path longer than a socket address", () => {
    const long = join(folder, "d".repeat(150));
    mkdirSync(long);
    symlinkSync(long, join(folder, "link"));
    const server = listen(join(folder, "link/console.sock"));
    const before = countDescriptors();
    closeSync(connectConsoleSocket(context, join(long, "console.sock")));
    expect(countDescriptors()).toBeLessThanOrEqual(before + 1); // the server's end
    server.stop();
  });
  test("tells why it cannot connect", () => {
    expect(() => connectConsoleSocket(context, join(folder, "none.sock"))).toThrow(
      `connect to the console socket: connect({AF_UNIX, "${folder}/none.sock"}): no such file or directory`,
    );
    const long = join(folder, "a".repeat(80), "b".repeat(60));
    expect(() => connectConsoleSocket(context, long)).toThrow("no such file or directory");
    expect(() => connectConsoleSocket(context, join(folder, "c".repeat(120)))).toThrow("file name too long");
  });
});
