// Parses a command line with commander, whose texts become those that callers of runc know.
import { Command, CommanderError, Option } from "commander";
import { UsageError } from "../errors.ts";
import { normaliseArgv } from "./argv.ts";
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

export type Parsed =
  | { readonly help: false; readonly args: readonly string[]; readonly values: OptionValues }
  | { readonly help: true };

/** Parses the arguments behind a command's name. Throws UsageError. */
export function parseArguments(grammar: Grammar, argv: readonly string[]): Parsed {
  const command = buildCommand(grammar);
  try {
    command.parse(normaliseArgv(argv, grammar.options, grammar.stopsAtArgs), { from: "user" });
  } catch (error) {
    if (error instanceof CommanderError) {
      if (error.code === "commander.helpDisplayed") return { help: true };
      throw new UsageError(describeMistake(error));
    }
    throw error;
  }
  return { help: false, args: command.args, values: collectValues(command, grammar.options) };
}

/** The text of `--help`. */
export function formatHelp(grammar: Grammar): string {
  return buildCommand(grammar).helpInformation();
}

function buildCommand(grammar: Grammar): Command {
  const command = new Command(grammar.name)
    .usage(grammar.options.length === 0 ? grammar.usage : `[options] ${grammar.usage}`.trimEnd())
    .description(grammar.description)
    .argument("[args...]")
    .passThroughOptions(grammar.stopsAtArgs)
    .showSuggestionAfterError(false)
    .exitOverride()
    .configureHelp({ visibleArguments: () => [] })
    .configureOutput({ writeOut: () => {}, writeErr: () => {} });
  for (const spec of grammar.options) command.addOption(buildOption(spec));
  return command;
}

function buildOption(spec: OptionSpec): Option {
  const short = spec.short === undefined ? "" : `-${spec.short}, `;
  const value = spec.kind === "flag" ? "" : ` <${spec.value ?? "value"}>`;
  const option = new Option(`${short}--${spec.name}${value}`, spec.help).hideHelp(spec.hidden ?? false);
  option.negate = false; // `--no-pivot` is an option of its own here
  if (spec.kind === "list") {
    option.argParser((text: string, before: readonly string[] | undefined) => [...(before ?? []), text]);
  }
  if (spec.kind === "count") {
    option.argParser((text: string) => {
      if (/^[0-9]{1,9}$/.test(text)) return text;
      throw new UsageError(`invalid value ${JSON.stringify(text)} for flag -${spec.name}: not a number`);
    });
  }
  return option;
}

function collectValues(command: Command, specs: readonly OptionSpec[]): OptionValues {
  const values = new Map<string, true | string | readonly string[]>();
  for (const spec of specs) {
    const name = spec.name.replace(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
    const value = command.getOptionValue(name);
    if (value !== undefined) values.set(spec.name, value);
  }
  return values;
}

function describeMistake(error: CommanderError): string {
  const flag = /'([^']*)'/.exec(error.message)?.[1] ?? "";
  if (error.code === "commander.unknownOption") {
    return `flag provided but not defined: ${flag.replace(/^--/, "-").replace(/=.*$/s, "")}`;
  }
  if (error.code === "commander.optionMissingArgument") {
    return `flag needs an argument: -${/--([a-z-]+)/.exec(flag)?.[1] ?? flag}`;
  }
  return error.message.replace(/^error: /, "");
}
