// Signals of the generic ABI (x86_64 and aarch64 agree). Source: signal(7), include/uapi/asm-generic/signal.h.

const NAMES =
  "HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN TTOU URG " +
  "XCPU XFSZ VTALRM PROF WINCH IO PWR SYS";

/** Names without `SIG`; the first one is signal 1. */
export const SIGNALS = NAMES.split(" ");

const ALIASES: Readonly<Record<string, number>> = { IOT: 6, CLD: 17, POLL: 29 };

export const SIGKILL = 9;
export const SIGTERM = 15;
export const SIGCONT = 18;

/** First real-time signal that the C library leaves to programs, and the last one. */
export const RTMIN = 34;
export const RTMAX = 64;

/**
 * Number of a signal given as a number or a name, in any case, with or without `SIG`; real-time signals are
 * RTMIN, RTMIN+n, RTMAX-n and RTMAX. Undefined for anything else.
 */
export function parseSignal(text: string): number | undefined {
  if (/^[0-9]{1,3}$/.test(text)) {
    const number = Number(text);
    return number >= 1 && number <= RTMAX ? number : undefined;
  }
  const name = text.toUpperCase().replace(/^SIG/, "");
  const index = SIGNALS.indexOf(name);
  if (index >= 0) return index + 1;
  return Object.hasOwn(ALIASES, name) ? ALIASES[name] : parseRealTime(name);
}

function parseRealTime(name: string): number | undefined {
  const match = /^(RTMIN|RTMAX)(?:([+-])([0-9]{1,2}))?$/.exec(name);
  if (!match) return undefined;
  const offset = Number(match[3] ?? 0) * (match[2] === "-" ? -1 : 1);
  const number = (match[1] === "RTMIN" ? RTMIN : RTMAX) + offset;
  return number >= RTMIN && number <= RTMAX ? number : undefined;
}
