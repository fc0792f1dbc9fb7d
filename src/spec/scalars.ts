// Building blocks of the chapters' schemas: integers with their ranges, string maps, readonly types. Each block that
// zod sees as a function only says in data too what it takes, for scripts/compile-schemas.ts.
import * as z from "zod/mini";
import { describe } from "./problems.ts";

/** T with every member and element readonly. */
export type DeepReadonly<T> = T extends bigint | string | number | boolean | undefined
  ? T
  : { readonly [K in keyof T]: DeepReadonly<T[K]> };

/** The readonly type that a schema's output has. */
export type Output<S extends z.core.$ZodType> = DeepReadonly<z.output<S>>;

/** What a block takes and gives. */
type Leaf =
  /** An integer of the range, as a number. */
  | { readonly kind: "integer"; readonly low: number; readonly high: number }
  /** An integer of the range, as a bigint. */
  | { readonly kind: "bigint"; readonly low: bigint; readonly high: bigint }
  | { readonly kind: "string" }
  | { readonly kind: "boolean" }
  /** A string; undefined for the empty one. */
  | { readonly kind: "text" }
  /** One of the values; undefined for the empty string if that means absent. */
  | { readonly kind: "choice"; readonly values: readonly string[]; readonly emptyIsAbsent: boolean }
  /** Strings by name, without a prototype. */
  | { readonly kind: "map" }
  /** What the schema says that is made when it is needed. */
  | { readonly kind: "chapter"; readonly build: () => z.core.$ZodType };

const LEAVES = new WeakMap<z.core.$ZodType, Leaf>();

/** What a block of this file says about itself; undefined for any other schema. */
export function leafOf(schema: z.core.$ZodType): Leaf | undefined {
  return LEAVES.get(schema);
}

function markLeaf<S extends z.core.$ZodType>(description: Leaf, schema: S): S {
  LEAVES.set(schema, description);
  return schema;
}

interface TransformContext {
  readonly issues: unknown[];
}

function refuse(context: TransformContext, input: unknown, message: string): never {
  context.issues.push({ code: "custom", input, message: input === undefined ? "is required" : message });
  return z.NEVER;
}

function refuseOrRange(context: TransformContext, input: unknown, low: bigint, high: bigint): never {
  const isInteger = typeof input === "number" || typeof input === "bigint";
  const what = isInteger ? "" : "an integer ";
  return refuse(context, input, `must be ${what}from ${low} to ${high}, not ${describe(input)}`);
}

/** An integer from `low` to `high` (both safe integers), as a number. */
function smallInteger(low: number, high: number) {
  const schema = z.transform((input: unknown, context): number =>
    typeof input === "number" && Number.isInteger(input) && input >= low && input <= high
      ? input
      : refuseOrRange(context, input, BigInt(low), BigInt(high)),
  );
  return markLeaf({ kind: "integer", low, high }, schema);
}

/** An integer from `low` to `high`, as a bigint. */
function bigInteger(low: bigint, high: bigint) {
  const schema = z.transform((input: unknown, context): bigint => {
    const value = typeof input === "number" && Number.isInteger(input) ? BigInt(input) : input;
    if (typeof value !== "bigint" || value < low || value > high) {
      return refuseOrRange(context, input, low, high);
    }
    return value;
  });
  return markLeaf({ kind: "bigint", low, high }, schema);
}

export const uint16 = smallInteger(0, 0xffff);
export const int32 = smallInteger(-0x8000_0000, 0x7fff_ffff);
export const uint32 = smallInteger(0, 0xffff_ffff);
/** A uid or gid. 2^32-1 means "leave unchanged" to the kernel and is no id. */
export const id = smallInteger(0, 0xffff_fffe);
export const int64 = bigInteger(-0x8000_0000_0000_0000n, 0x7fff_ffff_ffff_ffffn);
export const uint64 = bigInteger(0n, 0xffff_ffff_ffff_ffffn);
/** An integer in a range that one member only has. */
export const range = smallInteger;

export const string = markLeaf(
  { kind: "string" },
  z.transform((input: unknown, context): string =>
    typeof input === "string" ? input : refuse(context, input, `must be a string, not ${describe(input)}`),
  ),
);
export const boolean = markLeaf(
  { kind: "boolean" },
  z.transform((input: unknown, context): boolean =>
    typeof input === "boolean"
      ? input
      : refuse(context, input, `must be true or false, not ${describe(input)}`),
  ),
);
export const strings = z.array(string);

/** The same, optional. One instance each: making a schema costs more than using it. */
export const maybeInt32 = z.optional(int32);
export const maybeUint16 = z.optional(uint16);
export const maybeUint32 = z.optional(uint32);
export const maybeId = z.optional(id);
export const maybeInt64 = z.optional(int64);
export const maybeUint64 = z.optional(uint64);
export const maybeString = z.optional(string);
export const maybeBoolean = z.optional(boolean);
export const maybeStrings = z.optional(strings);

/** A string whose empty value means that it is absent, as Go's callers use it. */
export const maybeText = z.optional(
  markLeaf(
    { kind: "text" },
    z.transform((input: unknown, context): string | undefined => {
      if (typeof input !== "string")
        return refuse(context, input, `must be a string, not ${describe(input)}`);
      return input === "" ? undefined : input;
    }),
  ),
);

function chooseFrom<T extends string>(values: readonly T[], input: unknown, context: TransformContext): T {
  if (values.includes(input as T)) return input as T;
  return refuse(context, input, `must be one of ${values.join(", ")}, not ${describe(input)}`);
}

/** One of `values`. Loads in a tenth of the time of z.enum. */
export function choice<const T extends string>(values: readonly T[]) {
  const schema = z.transform((input: unknown, context): T => chooseFrom(values, input, context));
  return markLeaf({ kind: "choice", values, emptyIsAbsent: false }, schema);
}

/** One of `values`, or absent; the empty string means absent. */
export function maybeChoice<const T extends string>(values: readonly T[]) {
  const schema = z.transform((input: unknown, context): T | undefined =>
    input === "" ? undefined : chooseFrom(values, input, context),
  );
  return z.optional(markLeaf({ kind: "choice", values, emptyIsAbsent: true }, schema));
}

/**
 * A map from strings to strings. The result has no prototype, so that a key such as `__proto__` is a key like
 * any other.
 */
export const stringMap = markLeaf(
  { kind: "map" },
  z.transform((input: unknown, context): Readonly<Record<string, string>> => {
    if (typeof input !== "object" || input === null || Array.isArray(input)) {
      return refuse(context, input, `must be an object, not ${describe(input)}`);
    }
    const map: Record<string, string> = Object.create(null);
    for (const [key, value] of Object.entries(input)) {
      if (typeof value === "string") map[key] = value;
      else {
        const message = `must be a string, not ${describe(value)}`;
        context.issues.push({ code: "custom", input: value, path: [key], message });
      }
    }
    return map;
  }),
);
export const maybeStringMap = z.optional(stringMap);

/** Makes a schema when it is first used. */
export function once<S extends z.core.$ZodType>(build: () => S): () => S {
  let schema: S | undefined;
  return () => {
    schema ??= build();
    return schema;
  };
}

/** How every schema runs: compiling it to JavaScript pays only for documents that are read many times. */
export const RUN = { async: false, jitless: true } as const;

/**
 * An optional member whose schema is made only when a document has it: a config uses few of the spec's chapters,
 * and z.lazy would make its schema as soon as the parent runs.
 */
export function chapter<S extends z.core.$ZodType>(build: () => S) {
  const schema = z.transform((input: unknown, context): z.output<S> => {
    const parsed = build()._zod.run({ value: input, issues: [] }, RUN);
    if (parsed instanceof Promise) throw new TypeError("the schema is asynchronous");
    context.issues.push(...parsed.issues);
    return parsed.value as z.output<S>;
  });
  return z.optional(markLeaf({ kind: "chapter", build }, schema));
}
