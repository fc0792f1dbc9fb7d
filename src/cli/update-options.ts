// The options of `update` as the JSON that `--resources` takes, so that both are checked alike.
import { UsageError } from "../errors.ts";
import { formatJson } from "../spec/json.ts";
import { getText, type OptionValues } from "./option.ts";

type Parse = (name: string, text: string) => bigint | string;

const ROWS: readonly (readonly [option: string, section: string, member: string, parse: Parse])[] = [
  ["blkio-weight", "blockIO", "weight", parseInteger],
  ["cpu-period", "cpu", "period", parseInteger],
  ["cpu-quota", "cpu", "quota", parseInteger],
  ["cpu-burst", "cpu", "burst", parseInteger],
  ["cpu-share", "cpu", "shares", parseInteger],
  ["cpu-rt-period", "cpu", "realtimePeriod", parseInteger],
  ["cpu-rt-runtime", "cpu", "realtimeRuntime", parseInteger],
  ["cpu-idle", "cpu", "idle", parseInteger],
  ["cpuset-cpus", "cpu", "cpus", (_, text) => text],
  ["cpuset-mems", "cpu", "mems", (_, text) => text],
  ["memory", "memory", "limit", parseBytes],
  ["memory-reservation", "memory", "reservation", parseBytes],
  ["memory-swap", "memory", "swap", parseBytes],
  ["kernel-memory", "memory", "kernel", parseBytes],
  ["kernel-memory-tcp", "memory", "kernelTCP", parseBytes],
  ["pids-limit", "pids", "limit", parseInteger],
];

/** JSON of those resources that options were given for; an empty text is as good as none. Throws UsageError. */
export function formatUpdateOptions(options: OptionValues): string {
  const resources: Record<string, Record<string, bigint | string>> = {};
  for (const [option, section, member, parse] of ROWS) {
    const text = getText(options, option);
    if (!text) continue;
    resources[section] = { ...resources[section], [member]: parse(option, text) };
  }
  return formatJson(resources);
}

function parseInteger(name: string, text: string): bigint {
  if (/^[+-]?\d{1,20}$/.test(text)) return BigInt(text.replace("+", ""));
  throw new UsageError(`invalid value for ${name}: ${JSON.stringify(text)} is not an integer`);
}

const POWERS = "kmgtp";

/** A number of bytes with a suffix of powers of 1024, as Docker's go-units reads it: `100M`, `1.5g`, `64KiB`; -1. */
export function parseBytes(name: string, text: string): bigint {
  if (text === "-1") return -1n;
  const match = /^(\d{1,18})(?:\.(\d{1,18}))? ?(?:([kmgtp])i?b?|b)?$/i.exec(text);
  if (!match) throw new UsageError(`invalid value for ${name}: invalid size: ${JSON.stringify(text)}`);
  const [, whole = "", fraction = "", suffix = ""] = match;
  const unit = 1024n ** BigInt(suffix === "" ? 0 : POWERS.indexOf(suffix.toLowerCase()) + 1);
  // A part of a byte is dropped.
  return (BigInt(`${whole}${fraction}`) * unit) / 10n ** BigInt(fraction.length);
}
