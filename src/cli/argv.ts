// Reads flags as Go's flag package takes them, because callers write them so: `-no-subreaper`,
// `--no-subreaper=true`, `-b DIR`, `-b=DIR`, `--bundle DIR`, `--bundle=DIR`, `--tty=false`.
import { UsageError } from "../errors.ts";
import type { OptionSpec } from "./option.ts";

export type Token =
  | { readonly kind: "argument"; readonly text: string }
  | { readonly kind: "flag"; readonly spec: OptionSpec; readonly on: boolean }
  | { readonly kind: "value"; readonly spec: OptionSpec; readonly text: string }
  /** Not understood here: an unknown flag, a flag without its value, a group of short flags, `--help`. */
  | { readonly kind: "other"; readonly text: string };

const BOOLEANS: ReadonlyMap<string, boolean> = new Map([
  ["1", true],
  ["t", true],
  ["true", true],
  ["0", false],
  ["f", false],
  ["false", false],
]);

/** `stopsAtArgs`: from the first argument that is no flag on, everything is an argument. Throws UsageError. */
export function readTokens(
  argv: readonly string[],
  specs: readonly OptionSpec[],
  stopsAtArgs: boolean,
): readonly Token[] {
  const tokens: Token[] = [];
  for (let i = 0; i < argv.length; i++) {
    const text = argv[i] as string;
    const isFlag = text.length > 1 && text.startsWith("-");
    if (text === "--" || (!isFlag && stopsAtArgs)) {
      for (const rest of argv.slice(text === "--" ? i + 1 : i)) tokens.push({ kind: "argument", text: rest });
      break;
    }
    if (!isFlag) {
      tokens.push({ kind: "argument", text });
      continue;
    }
    const { name, value } = splitFlag(text);
    const spec = specs.find((known) => known.name === name || known.short === name);
    if (spec === undefined) {
      tokens.push({ kind: "other", text });
    } else if (spec.kind === "flag") {
      tokens.push({ kind: "flag", spec, on: parseBoolean(spec.name, value ?? "true") });
    } else if (value !== undefined || i + 1 < argv.length) {
      tokens.push({ kind: "value", spec, text: value ?? (argv[++i] as string) });
    } else {
      tokens.push({ kind: "other", text: `--${spec.name}` });
    }
  }
  return tokens;
}

function splitFlag(text: string): { name: string; value: string | undefined } {
  const start = text.startsWith("--") ? 2 : 1;
  const equals = text.indexOf("=");
  if (equals < 0) return { name: text.slice(start), value: undefined };
  return { name: text.slice(start, equals), value: text.slice(equals + 1) };
}

function parseBoolean(name: string, text: string): boolean {
  const value = BOOLEANS.get(text.toLowerCase());
  if (value !== undefined) return value;
  throw new UsageError(`invalid boolean value ${JSON.stringify(text)} for -${name}`);
}
