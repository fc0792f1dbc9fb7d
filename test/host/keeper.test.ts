// The keeper alone, on a pty of this process.
import { afterAll, beforeAll, expect, test } from "bun:test";
import { closeSync, constants, openSync } from "node:fs";
import { loadLibc } from "../../native-bindings/libc.ts";
import { openKeeper, readTermios, setTermios } from "../../src/host/keeper.ts";
import { makeRaw } from "../../src/linux/termios.ts";
import { context, installDir } from "../init/init.ts";
import { countDescriptors, listChildren } from "./leaks.ts";

const libc = loadLibc(installDir);
let master: number;
let terminal: number;
beforeAll(() => {
  master = openSync("/dev/ptmx", constants.O_RDWR | constants.O_NOCTTY);
  libc.ioctl(master, 0x40045431 /* TIOCSPTLCK */, new Uint8Array(4));
  terminal = libc.ioctl(master, 0x5441 /* TIOCGPTPEER */, null);
});
afterAll(() => {
  closeSync(terminal);
  closeSync(master);
});

for (const killed of [false, true])
  test(`restores the settings, and leaves nothing behind${killed ? ", when somebody has killed it" : ""}`, () => {
    const before = readTermios(libc, terminal) as Uint8Array;
    const descriptors = countDescriptors();
    const keeper = openKeeper(context, terminal, before);
    const children = listChildren();
    expect(children.length).toBe(1);
    setTermios(libc, terminal, makeRaw(before));
    expect(readTermios(libc, terminal)).not.toEqual(before);
    if (killed) process.kill(children[0] as number, "SIGKILL");
    keeper.restore();
    expect(readTermios(libc, terminal)).toEqual(before);
    expect(countDescriptors()).toBe(descriptors);
    expect(listChildren()).toEqual([]);
  });

test("what is no terminal has no settings", () => {
  const fd = openSync("/dev/null", "r");
  expect(readTermios(libc, fd)).toBeUndefined();
  closeSync(fd);
});
