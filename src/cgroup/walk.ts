// Walks a cgroup and those below it. A container may nest cgroups deeper than a path may be long (PATH_MAX), so
// the walk goes from descriptor to descriptor, of which it holds one.
import { closeSync, constants, openSync, readdirSync } from "node:fs";
import { isGone } from "./write.ts";

const O_CLOEXEC = 0o2000000;
const FLAGS = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW | O_CLOEXEC;

export interface Visitor {
  /** Called with a path of each cgroup that is valid during the call, before those below it. */
  readonly enter?: (dir: string) => void;
  /** Called with a path of each cgroup below the first one, after those below it. */
  readonly leave?: (dir: string) => void;
}

/** Does nothing if the cgroup is not there; passes over those that vanish on the way. */
export function walkCgroup(dir: string, visitor: Visitor): void {
  let fd = open(dir);
  if (fd === undefined) return;
  const path = (name: string): string => `/proc/self/fd/${fd}${name}`;
  const list = (): string[] => {
    visitor.enter?.(path(""));
    return listChildren(path(""));
  };
  try {
    const levels = [{ name: "", left: list() }];
    for (let level = levels[0]; level; level = levels.at(-1)) {
      const name = level.left.pop();
      if (name !== undefined) {
        const child = open(path(`/${name}`));
        if (child === undefined) continue;
        closeSync(fd);
        fd = child;
        levels.push({ name, left: list() });
        continue;
      }
      levels.pop();
      if (levels.length === 0) return;
      const parent = openSync(path("/.."), FLAGS);
      closeSync(fd);
      fd = parent;
      visitor.leave?.(path(`/${level.name}`));
    }
  } finally {
    closeSync(fd);
  }
}

function open(dir: string): number | undefined {
  try {
    return openSync(dir, FLAGS);
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}

function listChildren(dir: string): string[] {
  try {
    return readdirSync(dir, { withFileTypes: true }).flatMap((entry) =>
      entry.isDirectory() ? [entry.name] : [],
    );
  } catch (error) {
    if (isGone(error)) return [];
    throw error;
  }
}
