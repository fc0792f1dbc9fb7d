// Statistics of real containers: the texts of their cgroup's files, and what Debian's runc 1.1.5 made of them.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { StatFiles } from "../../../src/cgroup/stats-types.ts";

const folder = join(import.meta.dirname, "stats");

/** Files of a container that has read, written, and spent a fifth of a CPU, with limits. Changed as `change` says. */
export function loadStatFiles(
  version: "v1" | "v2",
  change: Readonly<Record<string, string | null>> = {},
): StatFiles {
  const texts = new Map<string, string>();
  for (const part of readFileSync(join(folder, `${version}.txt`), "utf8")
    .split(/^## /m)
    .slice(1)) {
    const end = part.indexOf("\n");
    texts.set(part.slice(0, end), part.slice(end + 1));
  }
  for (const [name, text] of Object.entries(change)) {
    if (text === null) texts.delete(name);
    else texts.set(name, text);
  }
  return {
    read: (hierarchy, file) => texts.get(`${hierarchy}/${file}`),
    list: (hierarchy) =>
      [...texts.keys()].flatMap((name) =>
        name.startsWith(`${hierarchy}/`) ? [name.slice(hierarchy.length + 1)] : [],
      ),
  };
}

/** The line of runc's `events --stats`. */
export function loadRuncLine(version: "v1" | "v2"): string {
  return readFileSync(join(folder, `${version}.runc.txt`), "utf8").trim();
}
