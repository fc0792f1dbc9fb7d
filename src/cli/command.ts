// What a command is made of. Each has a file of its own; commands.ts lists them.
import type { Context } from "../context.ts";
import type { OptionSpec, OptionValues } from "./option.ts";

export interface CommandDefinition {
  /** The arguments as the help shows them. */
  readonly usage: string;
  readonly description: string;
  readonly options: readonly OptionSpec[];
  readonly minArgs: number;
  readonly maxArgs: number;
  /** From the first argument on, everything is an argument: its flags belong to the container's program. */
  readonly stopsAtArgs?: true;
  /** Gives its process descriptors of the caller: they are found before anything is opened. */
  readonly passesFds?: true;
  /** May run hooks, which signals that the caller ignores must not end. */
  readonly runsHooks?: true;
  /** What the text of its errors begins with. */
  readonly errorPrefix?: string;
  /** Exit status of its errors, 1 unless given. */
  readonly errorStatus?: number;
  /** Gives the exit status. Throws what goes wrong. */
  readonly run: (invocation: Invocation) => Promise<number> | number;
}

export interface Invocation {
  readonly ctx: Context;
  readonly args: readonly string[];
  readonly options: OptionValues;
  /** `--systemd-cgroup` was given. */
  readonly systemdCgroup: boolean;
  /** `--rootless true|false`; undefined: auto. */
  readonly rootless: boolean | undefined;
  /** `--root` was given. */
  readonly hasRoot: boolean;
  /** Writes to stdout. */
  readonly print: (text: string) => void;
  /** Writes to stderr. */
  readonly printError: (text: string) => void;
}

/** The first argument, which every command on a container has. */
export function getId(invocation: Invocation): string {
  return invocation.args[0] as string;
}

export const CONTAINER_ID = "<container-id>";
