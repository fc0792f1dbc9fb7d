// Which devices a container may use: the config's rules and the defaults, brought into the form that both the v1
// controller and the v2 filter have: one default, and exceptions to it.
import { TsruncError } from "../errors.ts";
import type { DeviceRule } from "../spec/resources.ts";

const ACCESS = { m: 1, r: 2, w: 4 } as const; // BPF_DEVCG_ACC_MKNOD, _READ, _WRITE
const ALL_ACCESS = 7;
const ANY = -1n;
const LARGEST = 0xffffffffn;

/** Some access to some device numbers; -1 is any number. */
export interface DeviceException {
  readonly type: "c" | "b";
  readonly major: bigint;
  readonly minor: bigint;
  /** Bits of {@link ACCESS}. */
  readonly access: number;
}

/** What a cgroup allows: everything but the exceptions, or nothing but them. */
export interface DeviceAccess {
  readonly allowsByDefault: boolean;
  /** In the order in which they were first named. */
  readonly exceptions: readonly DeviceException[];
}

/** A step on the way from "nothing" to the container's access. */
export type DeviceChange = { readonly allow: boolean; readonly why: string } & (
  | { readonly all: true }
  | { readonly all: false; readonly exception: DeviceException }
);

export interface DeviceChanges {
  readonly changes: readonly DeviceChange[];
  readonly access: DeviceAccess;
}

function char(major: bigint, minor: bigint, access = ALL_ACCESS): DeviceException {
  return { type: "c", major, minor, access };
}

/** What every container may use, as with runc: config-linux.md "Default Devices", terminals, tun; mknod of any. */
export const DEFAULT_DEVICES: readonly (readonly [what: string, exception: DeviceException])[] = [
  ["mknod of any character device", char(ANY, ANY, ACCESS.m)],
  ["mknod of any block device", { ...char(ANY, ANY, ACCESS.m), type: "b" }],
  ["/dev/null", char(1n, 3n)],
  ["/dev/random", char(1n, 8n)],
  ["/dev/full", char(1n, 7n)],
  ["/dev/tty", char(5n, 0n)],
  ["/dev/zero", char(1n, 5n)],
  ["/dev/urandom", char(1n, 9n)],
  ["/dev/pts/*", char(136n, ANY)],
  ["/dev/ptmx", char(5n, 2n)],
  ["/dev/net/tun", char(10n, 200n)],
];

/**
 * The changes that lead to the config's access: nothing at first, then its rules, then the defaults; changes
 * without effect are left out. Throws TsruncError for a rule that the kernel cannot carry out.
 */
export function planDeviceChanges(rules: readonly DeviceRule[]): DeviceChanges {
  const state: State = { allowsByDefault: false, exceptions: new Map() };
  let first: DeviceChange = { allow: false, all: true, why: "linux.resources.devices" };
  const changes: DeviceChange[] = [];
  for (const [i, rule] of rules.entries()) {
    for (const change of readRule(rule, `linux.resources.devices[${i}]`)) {
      if (applyChange(state, change)) changes.push(change);
      else if (changes.length === 0 && change.all && !change.allow) first = change;
    }
  }
  for (const [what, exception] of DEFAULT_DEVICES) {
    const change: DeviceChange = { allow: true, all: false, exception, why: `default device ${what}` };
    if (applyChange(state, change)) changes.push(change);
  }
  const { allowsByDefault, exceptions } = state;
  return {
    changes: [first, ...changes],
    access: { allowsByDefault, exceptions: [...exceptions.values()] },
  };
}

/** A rule of the config as changes. One for all types but not all devices is a change for each type. */
function readRule(rule: DeviceRule, why: string): readonly DeviceChange[] {
  const { allow, type = "a" } = rule;
  const access = readAccess(rule.access, why);
  const major = readNumber(rule.major, `${why}.major`);
  const minor = readNumber(rule.minor, `${why}.minor`);
  if (type !== "a") return [{ allow, why, all: false, exception: { type, major, minor, access } }];
  if (major === ANY && minor === ANY && access === ALL_ACCESS) return [{ allow, why, all: true }];
  // The v1 file takes `a` for everything and does not look at what follows it.
  return (["c", "b"] as const).map((each) => ({
    allow,
    why,
    all: false,
    exception: { type: each, major, minor, access },
  }));
}

function readAccess(text: string | undefined, why: string): number {
  if (!text) throw new TsruncError(`${why}.access: must not be empty`);
  let bits = 0;
  for (const letter of text) {
    if (letter !== "r" && letter !== "w" && letter !== "m")
      throw new TsruncError(`${why}.access: must consist of r, w and m, not ${JSON.stringify(text)}`);
    bits |= ACCESS[letter];
  }
  return bits;
}

function readNumber(value: bigint = ANY, path: string): bigint {
  if (value < ANY || value > LARGEST)
    throw new TsruncError(`${path}: must be at most ${LARGEST}, not ${value}`);
  return value;
}

interface State {
  allowsByDefault: boolean;
  readonly exceptions: Map<string, DeviceException>;
}

/** Does what the kernel does with a line of devices.allow or devices.deny; false if that changes nothing. */
function applyChange(state: State, change: DeviceChange): boolean {
  if (change.all) {
    if (state.allowsByDefault === change.allow && state.exceptions.size === 0) return false;
    state.allowsByDefault = change.allow;
    state.exceptions.clear();
    return true;
  }
  const { exception } = change;
  const key = keyOf(exception);
  const before = state.exceptions.get(key)?.access ?? 0;
  const isException = state.allowsByDefault !== change.allow;
  if (!isException) refuseHole(state, exception, change.why);
  const after = isException ? before | exception.access : before & ~exception.access;
  if (after === 0) state.exceptions.delete(key);
  else state.exceptions.set(key, { ...exception, access: after });
  return after !== before;
}

/**
 * Taking one device out of a broader exception is what the v1 controller silently does not do: the container would
 * have more than the config says.
 */
function refuseHole(state: State, hole: DeviceException, why: string): void {
  const broader = [
    { ...hole, major: ANY },
    { ...hole, minor: ANY },
    { ...hole, major: ANY, minor: ANY },
  ];
  for (const candidate of broader) {
    const key = keyOf(candidate);
    const found = state.exceptions.get(key);
    if (key === keyOf(hole) || !found || (found.access & hole.access) === 0) continue;
    throw new TsruncError(
      `${why}: cannot take ${formatException(hole)} out of the broader rule ${formatException(found)}`,
    );
  }
}

function keyOf({ type, major, minor }: DeviceException): string {
  return `${type} ${major}:${minor}`;
}

/** As the files of the v1 controller have it: `c 1:3 rwm`, `b *:* m`. */
export function formatException({ type, major, minor, access }: DeviceException): string {
  const number = (value: bigint): string => (value === ANY ? "*" : String(value));
  const letters = (["r", "w", "m"] as const).filter((letter) => access & ACCESS[letter]).join("");
  return `${type} ${number(major)}:${number(minor)} ${letters}`;
}
