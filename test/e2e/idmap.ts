// What the tests of id-mapped mounts share: volumes, mounts of them, and looks at them.
import { expect } from "bun:test";
import { chownSync, mkdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Config, IdMapping, Mount } from "./config.ts";
import { openSandbox } from "./harness.ts";

/** Fills a directory as a volume; see makeVolume. */
export function fillVolume(volume: string): void {
  mkdirSync(volume, { recursive: true, mode: 0o777 });
  for (const [name, id] of [
    ["root", 0],
    ["user", 1000],
    ["shifted", 100000],
  ] as const) {
    writeFileSync(join(volume, name), "");
    chownSync(join(volume, name), id, id);
  }
  chownSync(volume, 1000, 1000);
}

export const to = (containerID: number, hostID: number, size = 1): IdMapping[] => [
  { containerID, hostID, size },
];
export const bind = (source: string, options: string[], maps?: IdMapping[]): Mount => ({
  destination: "/data",
  source,
  options,
  ...(maps ? { uidMappings: maps, gidMappings: maps } : {}),
});

/** Prints the owner of each file, then makes one. */
export const LOOK = [
  "sh",
  "-c",
  "cd /data && stat -c '%n %u:%g' root user shifted && touch new && stat -c '%n %u:%g' new",
];

export function withMount(mount: Mount, change?: (config: Config) => void) {
  return (config: Config): void => {
    config.mounts.push(mount);
    change?.(config);
  };
}

export function owner(path: string): string {
  const { uid, gid } = statSync(path);
  return `${uid}:${gid}`;
}

/** Opens a sandbox, with volumes and looks at them. */
export function openIdmapSandbox(theme: string) {
  const box = openSandbox(theme);

  let count = 0;
  /** A directory with a file of root's, one of user 1000's and one of the container's root's in a user namespace. */
  function makeVolume(): string {
    const volume = join(box.directory, `volume-${++count}`);
    fillVolume(volume);
    return volume;
  }

  /** A container whose root is not the host's cannot make the target. */
  function runOn(runner: Pick<typeof box, "run">, args: string[], change: (config: Config) => void) {
    const bundle = box.bundle(args, change);
    mkdirSync(join(bundle.rootfs, "data"));
    return runner.run(["run", "--bundle", bundle.directory, box.id()]);
  }

  async function look(mount: Mount, change?: (config: Config) => void): Promise<string[]> {
    const result = await runOn(box, LOOK, withMount(mount, change));
    expect(result.stderr).toBe("");
    return result.stdout.trim().split("\n");
  }

  return { box, makeVolume, runOn, look };
}
