// Compiles the schemas of src/spec at build time to plain functions, one for each object, list and map: the module that
// stands in the executable for src/spec/compiled-checkers.ts. The functions run once or twice in a process, in the
// engine's interpreter: they are straight lines with few calls, and allocate nothing but the result.
//
// A function gives what zod gives for a document without issues (members in the schema's order, `undefined` where zod
// puts it), and undefined for "no": zod then finds out what is wrong, if anything is. What is not known here, and
// records, which are rare, are always "no".
import type * as z from "zod/mini";
import { leafOf } from "../src/spec/scalars.ts";
import { type DocumentKind, SCHEMAS } from "../src/spec/schemas.ts";

type Schema = z.core.$ZodType;

/** The part of a schema's definition that is read here. */
interface Definition {
  readonly type: string;
  readonly shape?: Readonly<Record<string, Schema>>;
  readonly element?: Schema;
  readonly innerType?: Schema;
  readonly defaultValue?: unknown;
  readonly catchall?: Schema;
  readonly checks?: readonly unknown[];
}

/** Statements that change the variable `t` from a value to what the schema makes of it, or return for "no". */
interface Reading {
  /** Those that leave `t` as it is. They refuse undefined, or `change` does. */
  readonly check: string;
  readonly change: string;
}

const NO: Reading = { check: "return;", change: "" };

/** From how many values on a switch, which has a table, is shorter than comparisons. */
const SWITCH_FROM = 4;

function definitionOf(schema: Schema): Definition {
  return schema._zod.def as unknown as Definition;
}

/** The functions that have been written, by schema: each is written once. */
class Writer {
  readonly functions: string[] = [];
  readonly #names = new Map<Schema, string>();
  #hasMap = false;

  /** How a value is read; `path` names the function, should it need one. */
  read(schema: Schema, path: string): Reading {
    const leaf = leafOf(schema);
    switch (leaf?.kind) {
      case "string":
      case "boolean":
        return { check: `if (typeof t !== "${leaf.kind}") return;`, change: "" };
      case "text":
        return { check: 'if (typeof t !== "string") return;', change: 'if (t === "") t = undefined;' };
      case "integer": {
        const { low, high } = leaf;
        const isRefused = `typeof t !== "number" || t < ${low} || t > ${high} || t % 1 !== 0`;
        return { check: `if (${isRefused}) return;`, change: "" };
      }
      case "bigint":
        return {
          check: "",
          change:
            'if (typeof t === "number" && t % 1 === 0) t = BigInt(t);' +
            `if (typeof t !== "bigint" || t < ${leaf.low}n || t > ${leaf.high}n) return;`,
        };
      case "choice":
        return readChoice(leaf.values, leaf.emptyIsAbsent);
      case "map":
        this.#writeMap();
        return call("readMap");
      case "chapter":
        return this.read(leaf.build(), path);
      default:
        return this.#readNode(schema, path);
    }
  }

  #readNode(schema: Schema, path: string): Reading {
    const { type, shape, element, catchall, checks = [] } = definitionOf(schema);
    const known = this.#names.get(schema);
    if (known !== undefined) return call(known);
    if (catchall !== undefined || checks.length > 0) return NO;
    const body =
      type === "object" && shape !== undefined
        ? this.#writeObject(shape, path)
        : type === "array" && element !== undefined
          ? this.#writeArray(element, path)
          : undefined;
    if (body === undefined) return NO;
    this.#names.set(schema, path);
    this.functions.push(`function ${path}(v) {\n${body}\n}`);
    return call(path);
  }

  #writeObject(shape: Readonly<Record<string, Schema>>, path: string): string {
    const members = Object.entries(shape).map(([name, schema]) => this.#writeMember(name, schema, path));
    return [
      'if (typeof v !== "object" || v === null || Array.isArray(v)) return;',
      "const o = {};",
      "let t;",
      ...members,
      "return o;",
    ].join("\n");
  }

  #writeMember(name: string, schema: Schema, path: string): string {
    const key = JSON.stringify(name);
    const { type, innerType, defaultValue } = definitionOf(schema);
    const isWrapped = leafOf(schema) === undefined && (type === "optional" || type === "default");
    const inner = isWrapped && innerType !== undefined ? innerType : schema;
    const { check, change } = this.read(inner, `${path}_${name}`);
    const get = `t = v[${key}];`;
    const set = `o[${key}] = t;`;
    // A required member needs no look whether it is there: no reading takes undefined.
    if (!isWrapped) return `${get} ${check} ${change} ${set}`;
    if (type === "optional") return `${get} if (t !== undefined) { ${check} ${change} ${set} }`;
    // Each document gets a default of its own, as from zod.
    return `${get} if (t === undefined) t = ${JSON.stringify(defaultValue)}; else { ${check} ${change} } ${set}`;
  }

  #writeArray(element: Schema, path: string): string {
    const { check, change } = this.read(element, `${path}_`);
    const loop = (text: string) => `for (let i = 0; i < v.length; i++) { let t = v[i]; ${text} }`;
    const isArray = "if (!Array.isArray(v)) return;";
    // Nobody else has the document: a list that stays as it is need not be copied.
    if (change === "") return `${isArray}\n${loop(check)}\nreturn v;`;
    return `${isArray}\nconst o = [];\n${loop(`${check} ${change} o[i] = t;`)}\nreturn o;`;
  }

  #writeMap(): void {
    if (this.#hasMap) return;
    this.#hasMap = true;
    this.functions.push(
      `function readMap(v) {
if (typeof v !== "object" || v === null || Array.isArray(v)) return;
const o = Object.create(null);
for (const key in v) { const t = v[key]; if (typeof t !== "string") return; o[key] = t; }
return o;
}`,
    );
  }
}

function call(name: string): Reading {
  return { check: "", change: `t = ${name}(t); if (t === undefined) return;` };
}

function readChoice(values: readonly string[], emptyIsAbsent: boolean): Reading {
  const texts = values.map((value) => JSON.stringify(value));
  const check =
    texts.length < SWITCH_FROM
      ? `if (${texts.map((text) => `t !== ${text}`).join(" && ")}) return;`
      : `switch (t) { ${texts.map((text) => `case ${text}:`).join(" ")} break; default: return; }`;
  if (!emptyIsAbsent) return { check, change: "" };
  return { check: "", change: `if (t === "") t = undefined; else { ${check} }` };
}

/** The text of the module: JavaScript with the exports of src/spec/compiled-checkers.ts. */
export function compileSchemas(): string {
  const writer = new Writer();
  const kinds = Object.keys(SCHEMAS) as DocumentKind[];
  const checkers = kinds.map((kind) => {
    const { check, change } = writer.read(SCHEMAS[kind](), `read_${kind}`);
    const name = `check${kind.charAt(0).toUpperCase()}${kind.slice(1)}`;
    return `export function ${name}(t) {\n${check} ${change}\nreturn t;\n}`;
  });
  return `${[...writer.functions, ...checkers].join("\n")}\n`;
}
