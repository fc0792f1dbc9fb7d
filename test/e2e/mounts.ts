// What the tests of mounts share: containers with further mounts, and their mountinfo.
import { expect } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Mount } from "./config.ts";
import { type Bundle, openSandbox, type Result } from "./harness.ts";

export interface Line {
  readonly point: string;
  readonly root: string;
  readonly options: readonly string[];
  readonly tags: string;
  readonly type: string;
  readonly superOptions: readonly string[];
}

export function parseMountinfo(text: string): Line[] {
  return text
    .trim()
    .split("\n")
    .map((line) => {
      const [before = "", after = ""] = line.split(" - ");
      const fields = before.split(" ");
      const [type = "", , superOptions = ""] = after.split(" ");
      return {
        root: fields[3] ?? "",
        point: fields[4] ?? "",
        options: (fields[5] ?? "").split(","),
        tags: fields.slice(6).join(" "),
        type,
        superOptions: superOptions.split(","),
      };
    });
}

/** The last mount on a path; expects that the run told no error. */
export function findLine(result: Result & { lines: readonly Line[] }, point: string): Line {
  expect(result.stderr).toBe("");
  const line = result.lines.findLast((l) => l.point === point);
  if (line === undefined) throw new Error(`no mount on ${point}:\n${result.stdout}`);
  return line;
}

/** Opens a sandbox, with containers that have further mounts, and sources for these. */
export function openMountSandbox(theme: string) {
  const box = openSandbox(theme);

  /** Runs with these further mounts; the result has the container's own mountinfo. */
  async function mount(
    mounts: readonly Mount[],
    prepare?: (bundle: Bundle) => void,
    args = ["cat", "/proc/self/mountinfo"],
  ) {
    const bundle = box.bundle(args, (config) => {
      config.mounts.push(...mounts);
    });
    prepare?.(bundle);
    const result = await box.run(["run", "--bundle", bundle.directory, box.id()]);
    return { ...result, bundle, lines: result.status === 0 ? parseMountinfo(result.stdout) : [] };
  }

  /** A directory on the host with a file. */
  function makeSource(name: string): string {
    const path = join(box.directory, name);
    mkdirSync(path, { recursive: true });
    writeFileSync(join(path, "file"), "from the host\n");
    return path;
  }

  /** Hands over such a directory while a tmpfs with these options is mounted on `below` in it. */
  async function withSubmount<T>(
    name: string,
    options: string,
    use: (source: string) => Promise<T>,
  ): Promise<T> {
    const source = makeSource(name);
    const below = join(source, "below");
    mkdirSync(below, { recursive: true });
    Bun.spawnSync(["mount", "-t", "tmpfs", "-o", options, "tmpfs", below]);
    try {
      return await use(source);
    } finally {
      Bun.spawnSync(["umount", "-l", below]);
    }
  }

  return { box, mount, makeSource, withSubmount };
}
