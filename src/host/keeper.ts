// Restores the caller's terminal, also when this process is killed: a second process, an init again, waits for our
// end and then sets the terminal as it was.
import { closeSync, openSync } from "node:fs";
import { type Libc, loadLibc } from "../../native-bindings/libc.ts";
import type { Context } from "../context.ts";
import { SyscallError } from "../errors.ts";
import { TCGETS, TCSETS, TERMIOS_SIZE } from "../linux/termios.ts";
import { NULL, PlanBuilder } from "../plan/build.ts";
import { REPORT_SIZE } from "../plan/report.ts";
import type { InitStep } from "../plan/step.ts";
import { closeFd } from "./fd.ts";
import { sendAll } from "./init-socket.ts";
import { type Launched, launchInit } from "./launch.ts";
import { openPipe } from "./pipe.ts";
import { readArchitecture } from "./probe.ts";
import { reapChild } from "./process.ts";
import { closeSession, encodeSteps, openSession, type Session } from "./session.ts";

const EINTR = 4;
const ALL_SIGNALS = new Uint8Array(8).fill(0xff);
const TERMIOS_TEXT = "the caller's settings";

export interface Keeper {
  /** Restores the terminal, and returns when that is done. */
  restore(): void;
}

/** Starts the keeper of a terminal whose settings are `termios`. Throws SyscallError or TsruncError. */
export function openKeeper(ctx: Context, terminal: number, termios: Uint8Array): Keeper {
  const libc = loadLibc(ctx.installDir);
  const arch = readArchitecture();
  const [alive, end] = openPipe(libc, "keep the terminal's settings");
  let init: Launched | undefined;
  try {
    init = launch(ctx, terminal, alive);
    const session = openSession(init, arch);
    sendAll(session, encodeSteps(session, planKeeper(alive, termios), 0).bytes);
    return { restore: () => restore(session, end, terminal, termios) };
  } catch (error) {
    closeFd(libc, end);
    if (init) {
      closeFd(libc, init.socket);
      reapChild(libc, init.launcherPid);
    }
    throw error;
  } finally {
    closeFd(libc, alive);
  }
}

function launch(ctx: Context, terminal: number, alive: number): Launched {
  const nothing = openSync("/dev/null", "r+");
  try {
    return launchInit(ctx, { stdio: [terminal, nothing, nothing], pass: [alive] });
  } finally {
    closeSync(nothing);
  }
}

function planKeeper(alive: number, termios: Uint8Array): readonly InitStep[] {
  const p = new PlanBuilder();
  p.at("", "keep the terminal's settings", () => {
    // Neither the terminal's signals nor those to our process group end it, and as no member of the terminal's
    // session it is not stopped (SIGTTOU) for changing the settings from the background.
    const mask = { kind: "bytes", value: ALL_SIGNALS, text: "~[]" } as const;
    p.call("rt_sigprocmask", [{ kind: "number", value: 0, text: "SIG_BLOCK" }, mask, NULL, 8]);
    p.call("setsid", []);
    // Nothing is ever written: this returns when the last write end is closed, which only we have.
    p.call("read", [alive, p.buffer(8), 1]);
    p.call("ioctl", [
      0,
      { kind: "number", value: TCSETS, text: "TCSETS" },
      { kind: "bytes", value: termios, text: TERMIOS_TEXT },
    ]);
  });
  return p.build().steps as InitStep[];
}

function restore(session: Session, end: number, terminal: number, termios: Uint8Array): void {
  const { libc, socket, launcherPid } = session.init;
  closeFd(libc, end);
  const answer = new Uint8Array(REPORT_SIZE);
  let got = libc.recv(socket, answer, answer.length, 0);
  while (got < 0 && libc.errno() === EINTR) got = libc.recv(socket, answer, answer.length, 0);
  closeSession(session);
  reapChild(libc, launcherPid);
  // Somebody has killed the keeper.
  if (got <= 0) setTermios(libc, terminal, termios);
}

/** The settings of a terminal, or undefined if the descriptor is none. */
export function readTermios(libc: Libc, fd: number): Uint8Array | undefined {
  const termios = new Uint8Array(TERMIOS_SIZE);
  return libc.ioctl(fd, TCGETS, termios) < 0 ? undefined : termios;
}

/** TCSETS. Throws SyscallError. */
export function setTermios(libc: Libc, fd: number, termios: Uint8Array): void {
  if (libc.ioctl(fd, TCSETS, termios) < 0)
    throw new SyscallError("set the terminal", `ioctl(${fd}, TCSETS)`, libc.errno());
}
