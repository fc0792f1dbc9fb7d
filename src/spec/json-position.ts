// Finds where a text stops being JSON. Runs only after JSON.parse has refused the text: engines tell the place in
// different ways, and Bun's not at all.

/** Line and column count from 1; the column is in characters (UTF-16 units). */
export interface SyntaxProblem {
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
// biome-ignore lint/suspicious/noControlCharactersInRegex: JSON refuses control characters in strings
const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*/y;
const WORD = /[A-Za-z_$][\w$]*/y;
const SPACE = /[ \t\n\r]*/y;

function matchAt(pattern: RegExp, text: string, at: number): string | undefined {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0];
}

function placeOf(text: string, at: number, message: string): SyntaxProblem {
  const before = text.slice(0, at);
  const line = before.split("\n").length;
  return { line, column: at - before.lastIndexOf("\n"), message };
}

function describeAt(text: string, at: number): string {
  if (at >= text.length) return "the end of the text";
  const word = matchAt(WORD, text, at);
  return JSON.stringify(
    word === undefined ? String.fromCodePoint(text.codePointAt(at) ?? 0) : word.slice(0, 30),
  );
}

/** What may stand at a place. */
type Expected = "value" | "value or ]" | "key" | "key or }" | ":" | ", or ]" | ", or }" | "end";

const WORDING: Readonly<Record<Expected, string>> = {
  value: "a value",
  "value or ]": 'a value or "]"',
  key: "a member name in double quotes",
  "key or }": 'a member name in double quotes or "}"',
  ":": '":"',
  ", or ]": '"," or "]"',
  ", or }": '"," or "}"',
  end: "the end of the text",
};

/** What follows after a whole value, given the brackets that are still open. */
function afterValue(open: readonly string[]): Expected {
  const last = open.at(-1);
  return last === undefined ? "end" : last === "[" ? ", or ]" : ", or }";
}

/** End of the string that begins at `at`, or a problem in it. */
function skipString(text: string, at: number): number | SyntaxProblem {
  const end = at + (matchAt(STRING, text, at)?.length ?? 1);
  const stop = text[end];
  if (stop === '"') return end + 1;
  if (stop === undefined) return placeOf(text, at, "the string that begins here does not end");
  const what = stop === "\\" ? "bad escape sequence in a string" : "control character in a string";
  return placeOf(text, end, what);
}

/** End of the number, true, false or null at `at`; undefined if none stands there. */
function skipScalar(text: string, at: number): number | undefined {
  const word = matchAt(WORD, text, at);
  if (word !== undefined) {
    return word === "true" || word === "false" || word === "null" ? at + word.length : undefined;
  }
  const number = matchAt(NUMBER, text, at);
  if (number === undefined) return undefined;
  const end = at + number.length;
  return /[\w.+-]/.test(text[end] ?? "") ? undefined : end;
}

/** Finds the first place where `text` is not JSON; undefined if it is. Never recurses. */
export function findSyntaxError(text: string): SyntaxProblem | undefined {
  const open: string[] = [];
  let expected: Expected = "value";
  let at = 0;
  for (;;) {
    at += matchAt(SPACE, text, at)?.length ?? 0;
    const char = text[at];
    if (expected === "end" && char === undefined) return undefined;
    const wantsValue: boolean = expected === "value" || expected === "value or ]";
    const wantsKey: boolean = expected === "key" || expected === "key or }";
    if (char === '"' && (wantsValue || wantsKey)) {
      const end = skipString(text, at);
      if (typeof end !== "number") return end;
      at = end;
      expected = wantsKey ? ":" : afterValue(open);
    } else if (wantsValue && (char === "{" || char === "[")) {
      open.push(char);
      at++;
      expected = char === "{" ? "key or }" : "value or ]";
    } else if (char === "]" && (expected === "value or ]" || expected === ", or ]")) {
      open.pop();
      at++;
      expected = afterValue(open);
    } else if (char === "}" && (expected === "key or }" || expected === ", or }")) {
      open.pop();
      at++;
      expected = afterValue(open);
    } else if (char === ":" && expected === ":") {
      at++;
      expected = "value";
    } else if (char === "," && (expected === ", or ]" || expected === ", or }")) {
      at++;
      expected = expected === ", or ]" ? "value" : "key";
    } else {
      const end = wantsValue ? skipScalar(text, at) : undefined;
      if (end === undefined && wantsValue && /[-+.\d]/.test(char ?? "")) {
        return placeOf(text, at, "not a number as JSON writes them");
      }
      if (end === undefined) {
        return placeOf(text, at, `expected ${WORDING[expected]}, found ${describeAt(text, at)}`);
      }
      at = end;
      expected = afterValue(open);
    }
  }
}
