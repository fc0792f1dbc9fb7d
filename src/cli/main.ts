// The command line: global options, then a command, then its options and arguments.
import { UsageError } from "../errors.ts";
import type { CommandDefinition } from "./command.ts";
import { COMMANDS, MISSING_COMMANDS } from "./commands.ts";
import { createContext, type ProcessState } from "./context.ts";
import { type GlobalOptions, PROGRAM, readGlobalOptions } from "./global-options.ts";
import { type CommandLog, createLog } from "./log.ts";
import { type Grammar, type Parsed, parseArguments } from "./parse.ts";
import { reportError } from "./report.ts";
import { formatVersion } from "./version.ts";

const STATUS_UNKNOWN_COMMAND = 3;

/** Runs a command line and gives the exit status. */
export async function main(state: ProcessState): Promise<number> {
  const writeError = (text: string): void => state.write(2, text);
  const sinks = {
    now: (): Date => new Date(),
    elapsed: (): number => performance.now(),
    writeError,
    isTerminal: () => state.isTerminal(2),
  };
  let log = createLog({ format: "text", level: "info", ...sinks });
  let debug = false;
  try {
    const parsed = await parse(state, PROGRAM, state.argv);
    if (parsed.help) return print(state, await formatProgramHelp());
    const options = readGlobalOptions(parsed.values);
    debug = options.debug;
    if (options.version) return print(state, formatVersion());
    const { logFormat: format, logLevel: level } = options;
    log = createLog({ format, level, ...sinks });
    if (options.logFile !== undefined) {
      const { resolve } = await import("node:path");
      log = createLog({ file: resolve(state.cwd, options.logFile), format, level, ...sinks });
    }
    const [name, ...argv] = parsed.args;
    if (name === undefined) return print(state, await formatProgramHelp());
    return await dispatch(state, options, log, name, argv);
  } catch (error) {
    return reportError(log, error, { writeError, debug });
  }
}

async function dispatch(
  state: ProcessState,
  options: GlobalOptions,
  log: CommandLog,
  name: string,
  argv: readonly string[],
): Promise<number> {
  if (name === "help" || name === "h") {
    const [topic] = argv;
    if (topic === undefined) return print(state, await formatProgramHelp());
    const command = await loadCommand(topic);
    if (command === undefined) return reportUnknown(log, topic);
    return print(state, await formatHelp(grammarOf(topic, command)));
  }
  const command = await loadCommand(name);
  if (command === undefined) return reportUnknown(log, name);
  const grammar = grammarOf(name, command);
  const parsed = await parse(state, grammar, argv, command);
  if (parsed.help) return print(state, await formatHelp(grammar));
  return await runCommand(state, options, log, command, parsed);
}

async function runCommand(
  state: ProcessState,
  options: GlobalOptions,
  log: CommandLog,
  command: CommandDefinition,
  parsed: Parsed,
): Promise<number> {
  const writeError = (text: string): void => state.write(2, text);
  try {
    const status = await command.run({
      ctx: createContext(state, options, log, command),
      args: parsed.args,
      options: parsed.values,
      systemdCgroup: options.systemdCgroup,
      rootless: options.rootless,
      hasRoot: options.root !== undefined,
      print: (text) => state.write(1, text),
      printError: writeError,
    });
    log.finish();
    return status;
  } catch (error) {
    const { errorPrefix: prefix, errorStatus: status } = command;
    return reportError(log, error, { writeError, debug: options.debug, prefix, status });
  }
}

async function loadCommand(name: string): Promise<CommandDefinition | undefined> {
  if (!Object.hasOwn(COMMANDS, name)) return undefined;
  return (await COMMANDS[name]?.load())?.command;
}

function grammarOf(name: string, command: CommandDefinition): Grammar {
  const { usage, description, options } = command;
  return { name: `tsrunc ${name}`, usage, description, options, stopsAtArgs: command.stopsAtArgs ?? false };
}

/** Parses; what is wrong is also answered with the usage on stdout, as runc does. */
async function parse(
  state: ProcessState,
  grammar: Grammar,
  argv: readonly string[],
  command?: CommandDefinition,
): Promise<Parsed> {
  try {
    const parsed = await parseArguments(grammar, argv);
    if (!parsed.help && command !== undefined) checkCount(grammar.name, command, parsed.args.length);
    return parsed;
  } catch (error) {
    if (error instanceof UsageError) state.write(1, `Incorrect Usage.\n\n${await formatHelp(grammar)}`);
    throw error;
  }
}

function checkCount(name: string, { minArgs, maxArgs }: CommandDefinition, count: number): void {
  if (count >= minArgs && count <= maxArgs) return;
  const quoted = JSON.stringify(name.replace(/^tsrunc /, ""));
  if (minArgs === maxArgs) throw new UsageError(`${quoted} requires exactly ${minArgs} argument(s)`);
  if (count < minArgs) throw new UsageError(`${quoted} requires a minimum of ${minArgs} argument(s)`);
  throw new UsageError(`${quoted} requires a maximum of ${maxArgs} argument(s)`);
}

function reportUnknown(log: CommandLog, name: string): number {
  if (MISSING_COMMANDS.includes(name)) {
    log.fail(`not supported yet: tsrunc ${name}`);
    return 1;
  }
  log.fail(`No help topic for '${name}'`);
  return STATUS_UNKNOWN_COMMAND;
}

function print(state: ProcessState, text: string): number {
  state.write(1, text);
  return 0;
}

async function formatHelp(grammar: Grammar): Promise<string> {
  const usage = await import("./usage.ts");
  return usage.formatHelp(grammar);
}

async function formatProgramHelp(): Promise<string> {
  const lines = Object.entries(COMMANDS).map(([name, { summary }]) => `  ${name.padEnd(12)}${summary}\n`);
  const more = "\ntsrunc <command> --help tells about a command.\n";
  return `${await formatHelp(PROGRAM)}\nCommands:\n${lines.join("")}${more}`;
}
