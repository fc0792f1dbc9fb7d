// Help, and the wording of mistakes on the command line: commander's work, in the texts that callers of runc know.
import { Command, CommanderError, Option } from "commander";
import { UsageError } from "../errors.ts";
import type { Token } from "./argv.ts";
import type { OptionSpec, OptionValues } from "./option.ts";
import { checkValue, type Grammar, type Parsed } from "./parse.ts";

/** Parses what parse.ts does not understand: groups of short flags, `--help`, mistakes. Throws UsageError. */
export function parseWithCommander(grammar: Grammar, tokens: readonly Token[]): Parsed {
  const command = buildCommand(grammar);
  try {
    command.parse(tokens.flatMap(formatToken), { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.code === "commander.helpDisplayed") return { help: true, args: [], values: new Map() };
    throw new UsageError(describeMistake(error));
  }
  return { help: false, args: command.args, values: collectValues(command, grammar.options) };
}

/** The text of `--help`. */
export function formatHelp(grammar: Grammar): string {
  return buildCommand(grammar).helpInformation();
}

function formatToken(token: Token): readonly string[] {
  if (token.kind === "flag") return token.on ? [`--${token.spec.name}`] : [];
  if (token.kind === "value") return [`--${token.spec.name}=${token.text}`];
  return [token.text];
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
  if (spec.kind === "flag") return option;
  return option.argParser((text: string, before: unknown): unknown => {
    checkValue(spec, text);
    if (spec.kind !== "list") return text;
    return Array.isArray(before) ? [...before, text] : [text];
  });
}

function collectValues(command: Command, specs: readonly OptionSpec[]): OptionValues {
  const values = new Map<string, true | string | readonly string[]>();
  for (const { name } of specs) {
    const value = command.getOptionValue(
      name.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase()),
    );
    if (value !== undefined) values.set(name, value);
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
