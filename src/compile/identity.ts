// Who the process is: ids, groups, capabilities. Order: capabilities(7), "Effect of user ID changes".
import { CAPABILITIES, capabilityNames, capabilityNumber } from "../linux/capabilities.ts";
import { type PlanBuilder, struct, u32 } from "../plan/build.ts";
import type { NumberArg } from "../plan/step.ts";
import type { Capabilities, Process } from "../spec/config.ts";

const CAPABILITY_VERSION_3 = 0x20080522;

/** Bits that a capability set can hold; the kernel answers EINVAL for those that it does not know. */
const SET_BITS = (1n << 64n) - 1n;

const option = (value: number, text: string): NumberArg => ({ kind: "number", value, text });
const PR_SET_KEEPCAPS = option(8, "PR_SET_KEEPCAPS");
const PR_CAPBSET_DROP = option(24, "PR_CAPBSET_DROP");
const PR_SET_NO_NEW_PRIVS = option(38, "PR_SET_NO_NEW_PRIVS");
const PR_CAP_AMBIENT = option(47, "PR_CAP_AMBIENT");
const PR_CAP_AMBIENT_RAISE = option(2, "PR_CAP_AMBIENT_RAISE");
const PR_CAP_AMBIENT_CLEAR_ALL = option(4, "PR_CAP_AMBIENT_CLEAR_ALL");

const SETS = ["bounding", "effective", "permitted", "inheritable", "ambient"] as const;
export type CapabilitySets = Readonly<Record<(typeof SETS)[number], bigint>>;

/**
 * The sets that the process gets. Names that the kernel does not know, and capabilities that cannot be granted
 * here, are left out and told in one warning (config.md, "process.capabilities": MUST be logged, SHOULD NOT fail).
 */
export function resolveCapabilities(
  asked: Capabilities | undefined,
  grantable: bigint,
): { readonly sets: CapabilitySets; readonly warning: string | undefined } {
  const refused = new Set<string>();
  const resolve = (names: readonly string[] | undefined, within: bigint): bigint => {
    let mask = 0n;
    for (const name of names ?? []) {
      const number = capabilityNumber(name);
      const bit = number === undefined ? 0n : 1n << BigInt(number);
      if ((bit & within) === 0n) refused.add(name);
      else mask |= bit;
    }
    return mask;
  };
  const bounding = resolve(asked?.bounding, grantable);
  const permitted = resolve(asked?.permitted, grantable);
  const effective = resolve(asked?.effective, permitted);
  const inheritable = resolve(asked?.inheritable, bounding); // capset(2), once the bounding set is dropped
  // The kernel raises only what is permitted and inheritable; engines ask for more as a matter of course.
  const ambient = resolve(asked?.ambient, grantable) & permitted & inheritable;
  const warning =
    refused.size === 0
      ? undefined
      : `process.capabilities: ignoring unknown or unavailable capabilities: ${[...refused].sort().join(", ")}`;
  return { sets: { bounding, permitted, effective, inheritable, ambient }, warning };
}

/** All capabilities: what a user namespace grants to its root. */
export const ALL_CAPABILITIES = (1n << BigInt(CAPABILITIES.length)) - 1n;

/** no_new_privs comes first: a filter or a set-user-ID program must find it set (prctl(2)). */
export function setNoNewPrivileges(p: PlanBuilder, process: Process): void {
  if (!process.noNewPrivileges) return;
  p.at("process.noNewPrivileges", "forbid new privileges", () => {
    p.call("prctl", [PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0]);
  });
}

/** Supplementary groups; also before the program is looked for, since they decide on access to it. */
export function setGroups(p: PlanBuilder, process: Process, keepsGroups: boolean): void {
  if (keepsGroups) return; // crun's annotation: those of the caller
  p.at("process.user.additionalGids", "set the supplementary groups", () => {
    const gids = process.user.additionalGids ?? [];
    // In an ordinary user's namespace nobody may drop groups, since a file may deny something to them.
    const tolerate = gids.length === 0 ? (["EPERM"] as const) : [];
    p.call("setgroups", [gids.length, struct(...gids.map((gid, i) => u32(`[${i}]`, gid)))], { tolerate });
  });
}

/** Drops from the bounding set, changes ids, and sets what the process keeps. */
export function becomeUser(
  p: PlanBuilder,
  process: Process,
  sets: CapabilitySets,
  keepsGroups: boolean,
): void {
  p.at("process.capabilities.bounding", "drop capabilities from the bounding set", () => {
    const mask = ~sets.bounding & SET_BITS;
    const names = [...capabilityNames(mask), `${CAPABILITIES.length}-63`];
    p.call("prctl", [PR_CAPBSET_DROP, { kind: "each-bit", mask, names }, 0, 0, 0], { tolerate: ["EINVAL"] });
  });
  p.at("process.user", `become user ${process.user.uid}:${process.user.gid}`, () => {
    p.call("prctl", [PR_SET_KEEPCAPS, 1, 0, 0, 0]);
    setGroups(p, process, keepsGroups);
    const { uid, gid } = process.user;
    // With the capabilities for it they set all ids. A filter may be in force already, and runc needs no others.
    p.call("setgid", [gid]);
    p.call("setuid", [uid]);
    p.call("prctl", [PR_SET_KEEPCAPS, 0, 0, 0, 0]);
  });
  p.at("process.capabilities", "set the capabilities", () => {
    const header = struct(u32("version", CAPABILITY_VERSION_3), u32("pid", 0));
    const low = (mask: bigint): bigint => mask & 0xffffffffn;
    const { effective, permitted, inheritable } = sets;
    const data = struct(
      u32("effective", low(effective)),
      u32("permitted", low(permitted)),
      u32("inheritable", low(inheritable)),
      u32("effective_high", effective >> 32n),
      u32("permitted_high", permitted >> 32n),
      u32("inheritable_high", inheritable >> 32n),
    );
    p.call("capset", [header, data]);
    p.call("prctl", [PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0]);
    for (const name of capabilityNames(sets.ambient)) {
      const number = option(capabilityNumber(name) as number, name);
      p.call("prctl", [PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, number, 0, 0]);
    }
  });
}
