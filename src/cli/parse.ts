// Parses a command line.
import { UsageError } from "../errors.ts";
import { readTokens, type Token } from "./argv.ts";
import type { OptionSpec, OptionValues } from "./option.ts";

export interface Grammar {
  /** As in `tsrunc state`. */
  readonly name: string;
  /** The arguments, as in `<container-id> [signal]`. */
  readonly usage: string;
  readonly description: string;
  readonly options: readonly OptionSpec[];
  /** From the first argument on, everything is an argument. */
  readonly stopsAtArgs: boolean;
}

export interface Parsed {
  /** `--help` was given: nothing else counts. */
  readonly help: boolean;
  readonly args: readonly string[];
  readonly values: OptionValues;
}

/**
 * Parses the arguments behind a command's name. Throws UsageError. commander takes over where something is to be
 * told, be it help or a mistake: to load and set it up costs 3.5 ms, as much as many a whole command.
 */
export async function parseArguments(grammar: Grammar, argv: readonly string[]): Promise<Parsed> {
  const tokens = readTokens(argv, grammar.options, grammar.stopsAtArgs);
  if (!tokens.some((token) => token.kind === "other")) return collect(tokens);
  const { parseWithCommander } = await import("./usage.ts");
  return parseWithCommander(grammar, tokens);
}

function collect(tokens: readonly Token[]): Parsed {
  const args: string[] = [];
  const values = new Map<string, true | string | readonly string[]>();
  for (const token of tokens) {
    if (token.kind === "flag") setFlag(values, token.spec.name, token.on);
    else if (token.kind === "value") setValue(values, token.spec, token.text);
    else args.push(token.text);
  }
  return { help: false, args, values };
}

type Values = Map<string, true | string | readonly string[]>;

function setFlag(values: Values, name: string, on: boolean): void {
  if (on) values.set(name, true);
  else values.delete(name);
}

function setValue(values: Values, spec: OptionSpec, text: string): void {
  checkValue(spec, text);
  const before = values.get(spec.name);
  if (spec.kind !== "list") values.set(spec.name, text);
  else values.set(spec.name, Array.isArray(before) ? [...before, text] : [text]);
}

/** Throws UsageError for a value that its option cannot have. */
export function checkValue(spec: OptionSpec, text: string): void {
  if (spec.kind !== "count" || /^[0-9]{1,9}$/.test(text)) return;
  throw new UsageError(`invalid value ${JSON.stringify(text)} for flag -${spec.name}: not a number`);
}
