// Options of a command as data, and what was given for them.

export interface OptionSpec {
  /** Long name without dashes. */
  readonly name: string;
  /** One letter. */
  readonly short?: string;
  /** `flag` has no value; `list` may be repeated; `count` is a number ≥ 0. */
  readonly kind: "flag" | "text" | "list" | "count";
  /** What stands for the value in the help. */
  readonly value?: string;
  readonly help: string;
  readonly hidden?: boolean;
}

/** Values by long name: true for a flag, the text, or all texts of a list. */
export type OptionValues = ReadonlyMap<string, true | string | readonly string[]>;

export function hasFlag(values: OptionValues, name: string): boolean {
  return values.get(name) === true;
}

export function getText(values: OptionValues, name: string): string | undefined {
  const value = values.get(name);
  return typeof value === "string" ? value : undefined;
}

export function getList(values: OptionValues, name: string): readonly string[] {
  const value = values.get(name);
  return Array.isArray(value) ? value : [];
}

/** An option's value under a member's name, for a spread; nothing if it was not given or is empty, as with runc. */
export function pickText<K extends string>(
  values: OptionValues,
  name: string,
  key: K,
): { readonly [P in K]?: string } {
  const value = getText(values, name);
  return value === undefined || value === "" ? {} : ({ [key]: value } as { [P in K]: string });
}
