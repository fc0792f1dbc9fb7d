// Where systemd has a container's unit, and what the unit is made of. Pure (systemd.slice(5), systemd.scope(5)).
import { posix } from "node:path";
import { TsruncError } from "../errors.ts";
import type { BusValue } from "./gvariant.ts";
import { parseVariant } from "./gvariant.ts";
import type { CgroupRequest, SystemdFacts, UnitProperty } from "./types.ts";

const ANNOTATION = "org.systemd.property.";

export interface UnitPlace {
  /** `PREFIX-NAME.scope`. */
  readonly name: string;
  readonly slice: string;
  /** The unit's cgroup, from the root of the hierarchy. */
  readonly cgroup: string;
}

/**
 * The unit for a cgroupsPath `SLICE:PREFIX:NAME`; without one it is `tsrunc-ID.scope`. An empty slice is the
 * manager's default one. Throws TsruncError.
 */
export function placeUnit({ id, cgroupsPath = "" }: CgroupRequest, systemd: SystemdFacts): UnitPlace {
  const parts = cgroupsPath === "" ? ["", "tsrunc", id] : cgroupsPath.split(":");
  if (parts.length !== 3) {
    const form = 'expected cgroupsPath to be of format "slice:prefix:name" for systemd cgroups';
    throw new TsruncError(`linux.cgroupsPath: ${form}, got ${JSON.stringify(cgroupsPath)} instead`);
  }
  const [parent = "", prefix, last] = parts;
  const slice = parent || (systemd.isUser ? "user.slice" : "system.slice");
  const name = `${prefix}-${last}.scope`;
  // One more than systemd's UNIT_NAME_MAX; `/` would lead to another cgroup than systemd's.
  if (name.includes("/") || name.length >= 256)
    throw new TsruncError(`linux.cgroupsPath: ${JSON.stringify(name)} is not the name of a unit`);
  return { name, slice, cgroup: posix.join("/", systemd.controlGroup, expandSlice(slice), name) };
}

/** `a-b.slice` is in `a.slice`; `-.slice` is the root. Throws TsruncError. */
export function expandSlice(slice: string): string {
  const parts = slice.endsWith(".slice") && !slice.includes("/") ? slice.slice(0, -6).split("-") : [];
  if (slice === "-.slice") return "/";
  if (parts.length === 0 || parts.includes(""))
    throw new TsruncError(`linux.cgroupsPath: invalid slice name: ${slice}`);
  return parts.map((_, i) => `/${parts.slice(0, i + 1).join("-")}.slice`).join("");
}

/** Everything of a new unit but its resources. `annotations`: those that name a property are added. */
export function planUnit(
  { id, annotations = {} }: CgroupRequest,
  { slice }: UnitPlace,
  isV2: boolean,
): readonly UnitProperty[] {
  const property = (name: string, signature: string, value: BusValue): UnitProperty => ({
    name,
    signature,
    value,
  });
  return [
    property("Description", "s", `tsrunc container ${id}`),
    property("Slice", "s", slice),
    // The container's cgroups below are its own business.
    property("Delegate", "b", true),
    property("DefaultDependencies", "b", false),
    // Statistics are there without limits too.
    ...["CPU", "Memory", isV2 ? "IO" : "BlockIO", "Tasks"].map((name) =>
      property(`${name}Accounting`, "b", true),
    ),
    ...Object.entries(annotations)
      .filter(([key]) => key.startsWith(ANNOTATION))
      .map(([key, text]) => readAnnotation(key, text)),
  ];
}

/** `org.systemd.property.TimeoutStopSec: "uint64 5"`: seconds become the microseconds that D-Bus has instead. */
function readAnnotation(key: string, text: string): UnitProperty {
  const where = `annotations[${JSON.stringify(key)}]`;
  const name = key.slice(ANNOTATION.length);
  if (!/^[A-Za-z]{3,}$/.test(name))
    throw new TsruncError(`${where}: a property has a name of at least three letters, and of letters only`);
  try {
    const { signature, value } = parseVariant(text);
    const seconds = /^(.*[a-z])Sec$/.exec(name)?.[1];
    if (seconds === undefined) return { name, signature, value };
    if (typeof value !== "number" && typeof value !== "bigint") throw new TsruncError("not a number");
    const usec = typeof value === "bigint" ? value * 1_000_000n : BigInt(Math.trunc(value * 1_000_000));
    return { name: `${seconds}USec`, signature: "t", value: usec };
  } catch (error) {
    if (error instanceof TsruncError) throw new TsruncError(`${where}: ${error.message}`);
    throw error;
  }
}
