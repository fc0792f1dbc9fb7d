// Tells the user how a command failed.
import { messageOf, TsruncError } from "../errors.ts";
import type { CommandLog } from "./log.ts";
import { showControls } from "./output.ts";

export interface ReportOptions {
  /** Writes to stderr. */
  readonly writeError: (text: string) => void;
  readonly debug: boolean;
  /** Begins the message of an error that is not a bug. */
  readonly prefix?: string | undefined;
  /** Exit status, 1 unless given. */
  readonly status?: number | undefined;
}

/** Logs the error that ends a command and gives the exit status. Anything but a TsruncError is a bug of tsrunc. */
export function reportError(log: CommandLog, error: unknown, options: ReportOptions): number {
  const isKnown = error instanceof TsruncError;
  const message = isKnown ? `${options.prefix ?? ""}${error.message}` : `internal error: ${messageOf(error)}`;
  try {
    log.fail(message);
  } catch (logError) {
    // The log file has become unusable: stderr is all that is left.
    options.writeError(`${showControls(message)}\n${showControls(messageOf(logError))}\n`);
  }
  if (!isKnown && options.debug && error instanceof Error) options.writeError(`${error.stack ?? ""}\n`);
  return options.status ?? 1;
}
