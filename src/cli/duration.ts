// Durations as Go's time.ParseDuration reads them: `5s`, `1m30s`, `1.5h`, `300ms`.
import { UsageError } from "../errors.ts";

const UNITS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};
const PART = /([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|µs|ms|s|m|h)/g;
/** The longest time that a timer of the engine waits: 24.8 days. */
const LONGEST = 2 ** 31 - 1;

/** Milliseconds, more than 0; a time longer than 24 days is cut to that. Throws UsageError. `flag` has no dashes. */
export function parseInterval(flag: string, text: string): number {
  const parts = [...text.replace(/^\+/, "").matchAll(PART)];
  const isWhole = parts.length > 0 && parts.map(([part]) => part).join("") === text.replace(/^\+/, "");
  const isNegative = text === "0" || text.startsWith("-");
  if (!isWhole && !isNegative)
    throw new UsageError(
      `invalid value ${JSON.stringify(text)} for flag -${flag}: want a duration such as 5s`,
    );
  const total = parts.reduce((sum, [, count, unit = ""]) => sum + Number(count) * (UNITS[unit] ?? 0), 0);
  if (isNegative || total <= 0) throw new UsageError(`duration ${flag} must be greater than 0`);
  return Math.min(total, LONGEST);
}
