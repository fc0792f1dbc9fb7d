// The options before a command.
import { UsageError } from "../errors.ts";
import { type LogFormat, type LogLevel, parseLogLevel } from "./log.ts";
import { getText, hasFlag, type OptionSpec, type OptionValues } from "./option.ts";
import type { Grammar } from "./parse.ts";

const OPTIONS: readonly OptionSpec[] = [
  { name: "root", kind: "text", value: "dir", help: "folder of the containers' states" },
  { name: "log", kind: "text", value: "file", help: "append messages to a file, not to stderr" },
  { name: "log-format", kind: "text", value: "format", help: "text or json (default: text)" },
  { name: "log-level", kind: "text", value: "level", help: "error, warning, info or debug (default: info)" },
  { name: "debug", kind: "flag", help: "the same as --log-level debug" },
  { name: "systemd-cgroup", kind: "flag", help: "let systemd make the cgroups" },
  { name: "rootless", kind: "text", value: "mode", help: "true, false or auto (default: auto)" },
  { name: "version", short: "v", kind: "flag", help: "print the version" },
];

export const PROGRAM: Grammar = {
  name: "tsrunc",
  usage: "<command> [arguments]",
  description: "Runs containers that are described by an OCI bundle.",
  options: OPTIONS,
  stopsAtArgs: true,
};

export interface GlobalOptions {
  readonly root: string | undefined;
  readonly logFile: string | undefined;
  readonly logFormat: LogFormat;
  readonly logLevel: LogLevel;
  readonly debug: boolean;
  readonly systemdCgroup: boolean;
  /** Undefined: auto. */
  readonly rootless: boolean | undefined;
  readonly version: boolean;
}

/** Checks the values. Throws UsageError. */
export function readGlobalOptions(values: OptionValues): GlobalOptions {
  const debug = hasFlag(values, "debug");
  const format = getText(values, "log-format") ?? "text";
  if (format !== "text" && format !== "json") throw new UsageError(`invalid log-format: ${format}`);
  const levelName = getText(values, "log-level") ?? "info";
  const level = parseLogLevel(levelName);
  if (level === undefined) throw new UsageError(`invalid log-level: ${levelName}`);
  const rootless = getText(values, "rootless");
  if (rootless !== undefined && !["true", "false", "auto"].includes(rootless)) {
    throw new UsageError(`invalid value ${JSON.stringify(rootless)} for flag -rootless: true, false or auto`);
  }
  return {
    root: getText(values, "root"),
    logFile: getText(values, "log") || undefined,
    logFormat: format,
    logLevel: debug ? "debug" : level,
    debug,
    systemdCgroup: hasFlag(values, "systemd-cgroup"),
    rootless: rootless === undefined || rootless === "auto" ? undefined : rootless === "true",
    version: hasFlag(values, "version"),
  };
}
