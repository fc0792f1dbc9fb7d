// Options that create, run and plan share.
import type { CreateOptions } from "../container/options.ts";
import { getId, type Invocation } from "./command.ts";
import { getText, hasFlag, type OptionSpec, type OptionValues, pickText } from "./option.ts";

export const PIPE_OPTIONS: readonly OptionSpec[] = [
  { name: "console-socket", kind: "text", value: "path", help: "socket that receives the terminal's master" },
  { name: "pidfd-socket", kind: "text", value: "path", help: "socket that receives a pidfd of the process" },
  { name: "pid-file", kind: "text", value: "path", help: "file to write the process's pid to" },
];

export const PRESERVE_FDS: OptionSpec = {
  name: "preserve-fds",
  kind: "count",
  value: "n",
  help: "number of further descriptors to pass (default: 0)",
};

const BUNDLE_OPTIONS: readonly OptionSpec[] = [
  {
    name: "bundle",
    short: "b",
    kind: "text",
    value: "path",
    help: "the bundle (default: current directory)",
  },
  {
    name: "config",
    short: "f",
    kind: "text",
    value: "file",
    help: "its configuration (default: config.json)",
  },
];

export const CREATE_OPTIONS: readonly OptionSpec[] = [
  ...BUNDLE_OPTIONS,
  ...PIPE_OPTIONS,
  { name: "no-pivot", kind: "flag", help: "move the root instead of pivot_root" },
  { name: "no-new-keyring", kind: "flag", help: "keep the caller's session keyring" },
  PRESERVE_FDS,
];

/** Values of PIPE_OPTIONS. */
export function readPipeOptions(options: OptionValues): {
  readonly consoleSocket?: string;
  readonly pidfdSocket?: string;
  readonly pidFile?: string;
} {
  return {
    ...pickText(options, "console-socket", "consoleSocket"),
    ...pickText(options, "pidfd-socket", "pidfdSocket"),
    ...pickText(options, "pid-file", "pidFile"),
  };
}

/** Number of descriptors of `--preserve-fds`. */
export function readPreserveFds(options: OptionValues): number {
  return Number(getText(options, "preserve-fds") ?? "0");
}

/** Values of CREATE_OPTIONS. */
export function readCreateOptions(invocation: Invocation): CreateOptions {
  const { options, systemdCgroup, rootless } = invocation;
  return {
    id: getId(invocation),
    bundle: getText(options, "bundle") || ".",
    configFile: getText(options, "config") || "config.json",
    ...readPipeOptions(options),
    noPivot: hasFlag(options, "no-pivot"),
    noNewKeyring: hasFlag(options, "no-new-keyring"),
    preserveFds: readPreserveFds(options),
    systemdCgroup,
    ...(rootless === undefined ? {} : { rootless }),
  };
}
