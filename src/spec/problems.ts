// Writes JSON paths and values as the program prints them everywhere.

/** One way down from a document's root: member names and array indexes. */
export type Segments = readonly (string | number)[];

/** A member name that can stand after a dot without quotes. */
function isPlainName(name: string): boolean {
  return /^[A-Za-z_$][A-Za-z0-9_$-]*$/.test(name);
}

/** `mounts[3].options[0]`, `linux.sysctl["net.ipv4.ip_forward"]`; empty for the document itself. */
export function formatPath(segments: Segments): string {
  let text = "";
  for (const segment of segments) {
    if (typeof segment === "number") text += `[${segment}]`;
    else if (!isPlainName(segment)) text += `[${JSON.stringify(segment)}]`;
    else text += text === "" ? segment : `.${segment}`;
  }
  return text;
}

/** A string in JSON quotes, cut after 60 characters. */
export function quote(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}...` : text);
}

/** What stands in the document (as src/spec/json.ts reads it), for the end of a message. */
export function describe(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "an array";
  if (typeof value === "symbol") return value.description ?? "";
  if (typeof value === "string") return quote(value);
  return typeof value === "object" ? "an object" : String(value);
}
