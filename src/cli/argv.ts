// Callers write flags as Go's flag package takes them. This gives them the one form that commander takes too:
// `-no-subreaper` and `--no-subreaper=true` become `--no-subreaper`; `-b DIR`, `-b=DIR` and `--bundle DIR` become
// `--bundle=DIR`; `--tty=false` is left out. Anything unknown stays as it is, for commander to report.
import { UsageError } from "../errors.ts";
import type { OptionSpec } from "./option.ts";

const BOOLEANS: Readonly<Record<string, boolean>> = {
  1: true,
  t: true,
  true: true,
  0: false,
  f: false,
  false: false,
};

/** `stopsAtArgs`: from the first argument that is no flag on, everything is an argument. */
export function normaliseArgv(
  argv: readonly string[],
  specs: readonly OptionSpec[],
  stopsAtArgs: boolean,
): string[] {
  const result: string[] = [];
  for (let i = 0; i < argv.length; i++) {
    const arg = argv[i] as string;
    if (arg === "--" || (stopsAtArgs && !isFlag(arg))) return [...result, ...argv.slice(i)];
    const flag = isFlag(arg) ? parseFlag(arg, specs) : undefined;
    if (flag === undefined) {
      result.push(arg);
    } else if (flag.spec.kind === "flag") {
      if (parseBoolean(flag.spec.name, flag.value ?? "true")) result.push(`--${flag.spec.name}`);
    } else if (flag.value !== undefined) {
      result.push(`--${flag.spec.name}=${flag.value}`);
    } else if (i + 1 < argv.length) {
      i++;
      result.push(`--${flag.spec.name}=${argv[i]}`);
    } else {
      result.push(`--${flag.spec.name}`);
    }
  }
  return result;
}

function isFlag(arg: string): boolean {
  return arg.length > 1 && arg.startsWith("-");
}

function parseFlag(
  arg: string,
  specs: readonly OptionSpec[],
): { spec: OptionSpec; value: string | undefined } | undefined {
  const [, name = "", value] = /^--?([^=]+)(?:=(.*))?$/s.exec(arg) ?? [];
  const spec = specs.find((known) => known.name === name || known.short === name);
  return spec && { spec, value };
}

function parseBoolean(name: string, text: string): boolean {
  const value = BOOLEANS[text.toLowerCase()];
  if (value === undefined || !Object.hasOwn(BOOLEANS, text.toLowerCase())) {
    throw new UsageError(`invalid boolean value ${JSON.stringify(text)} for -${name}`);
  }
  return value;
}
