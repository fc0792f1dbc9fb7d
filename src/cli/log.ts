// Messages of a command as logrus writes them for runc: lines of text or of JSON, appended to a file or written to
// stderr.
import { closeSync, constants, openSync } from "node:fs";
import type { Log } from "../context.ts";
import { toSyscallError } from "../errors.ts";
import { showControls, writeText } from "./output.ts";

const LEVELS = ["error", "warning", "info", "debug"] as const;
export type LogLevel = (typeof LEVELS)[number];
export type LogFormat = "text" | "json";

export interface LogOptions {
  /** Absolute path of the log file; stderr without one. */
  readonly file?: string | undefined;
  readonly format: LogFormat;
  readonly level: LogLevel;
  readonly now: () => Date;
  /** Milliseconds since this process began; a debug message has it as its field `ms`. */
  readonly elapsed: () => number;
  /** Writes to stderr. */
  readonly writeError: (text: string) => void;
  /** Whether stderr is a terminal: then a person reads it, not a program. */
  readonly isTerminal: () => boolean;
}

export interface CommandLog extends Log {
  /** The message that a command ends with: to the log and, where that is a file, plainly on stderr too. */
  fail(message: string): void;
  /** Writes what was held back. */
  finish(): void;
}

/** A message from init or a hook may be any size; go-runc reads the whole log into memory. */
const MAX_MESSAGE = 32 * 1024;

/** `--log-level`; undefined for an unknown name. */
export function parseLogLevel(name: string): LogLevel | undefined {
  const level = name.toLowerCase();
  return LEVELS.find((known) => known === (level === "warn" ? "warning" : level));
}

/** Opens the log; throws if its file cannot be written. */
export function createLog(options: LogOptions): CommandLog {
  const { file, format, level, now, elapsed } = options;
  if (file !== undefined) appendText(file, "");
  const write = (text: string): void =>
    file === undefined ? options.writeError(text) : appendText(file, text);
  // Podman reads the log file as one JSON object, and go-runc looks for the last error in it. So an error is the
  // only object: the warnings before it become a member of it. Without an error they follow at the end.
  const holdsBack = format === "json" && file !== undefined && level !== "debug";
  let held: Entry[] = [];
  const isPlain = (): boolean => file === undefined && format === "text" && options.isTerminal();
  const formatOne = (entry: Entry, before: readonly Entry[] = []): string =>
    isPlain() ? formatPlain(entry) : formatEntry(format, entry, before);
  const add = (entryLevel: LogLevel, message: string): void => {
    if (LEVELS.indexOf(entryLevel) > LEVELS.indexOf(level)) return;
    const ms = entryLevel === "debug" ? { ms: Number(elapsed().toFixed(2)) } : {};
    const entry = { level: entryLevel, message: shorten(message), time: formatTime(now()), ...ms };
    if (holdsBack && entryLevel !== "error") held.push(entry);
    else write(formatOne(entry));
  };
  return {
    debug: (message) => add("debug", message),
    info: (message) => add("info", message),
    warn: (message) => add("warning", message),
    error: (message) => add("error", message),
    fail(message) {
      const entry = { level: "error" as const, message: shorten(message), time: formatTime(now()) };
      write(formatOne(entry, held));
      held = [];
      if (file !== undefined) options.writeError(`${showControls(entry.message)}\n`);
    },
    finish() {
      for (const entry of held) write(formatEntry(format, entry));
      held = [];
    },
  };
}

interface Entry {
  readonly level: LogLevel;
  readonly message: string;
  /** RFC 3339, whole seconds, UTC. */
  readonly time: string;
  readonly ms?: number;
}

function formatEntry(format: LogFormat, entry: Entry, before: readonly Entry[] = []): string {
  const { level, message, time, ms } = entry;
  const suffix = ms === undefined ? "" : ` ms=${ms}`;
  if (format === "text") return `time="${time}" level=${level} msg=${quoteText(message)}${suffix}\n`;
  const object = { level, msg: message, time, ...(ms === undefined ? {} : { ms }) };
  const warnings = before.map((held) => held.message);
  return `${JSON.stringify(warnings.length === 0 ? object : { ...object, warnings })}\n`;
}

/** For a person at a terminal: the message as it is, with its level unless that is what is expected. */
function formatPlain({ level, message, ms }: Entry): string {
  const before = level === "error" || level === "info" ? "" : `${level}: `;
  const after = ms === undefined ? "" : ` (${ms} ms)`;
  return `${before}${showControls(message)}${after}\n`;
}

/** logrus leaves a plain word without quotes. */
function quoteText(message: string): string {
  return /^[A-Za-z0-9\-._/@^+]+$/.test(message) ? message : showControls(JSON.stringify(message));
}

function formatTime(time: Date): string {
  return `${time.toISOString().slice(0, 19)}Z`;
}

function shorten(message: string): string {
  return message.length <= MAX_MESSAGE ? message : `${message.slice(0, MAX_MESSAGE)}… (shortened)`;
}

function appendText(file: string, text: string): void {
  let fd: number;
  try {
    fd = openSync(file, constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT, 0o644);
  } catch (error) {
    throw toSyscallError(error, "log file", `open ${file}`);
  }
  writeText(fd, text);
  closeSync(fd);
}
