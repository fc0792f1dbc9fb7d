// What the guest's tests of limits share: a container at /sys/fs/cgroup/ID, and its files.
import { readFileSync } from "node:fs";
import type { Config } from "../e2e/config.ts";
import type { Sandbox } from "../e2e/harness.ts";

/** Directory of the container's cgroup. */
export const cgroupDir = (id: string): string => `/sys/fs/cgroup/${id}`;

export const readCgroup = (id: string, file: string): string =>
  readFileSync(`${cgroupDir(id)}/${file}`, "utf8").trim();

/** A counter of a file with lines of a key and a number. */
export function readCounter(id: string, file: string, key: string): number {
  const line = readCgroup(id, file)
    .split("\n")
    .find((each) => each.startsWith(`${key} `));
  if (line === undefined) throw new Error(`no ${key} in ${file}`);
  return Number(line.slice(key.length + 1));
}

/** Runs a container with these resources, hands it over, and removes it. */
export async function withContainer(
  box: Sandbox,
  args: readonly string[],
  resources: Record<string, unknown>,
  use: (id: string) => Promise<void>,
  change?: (config: Config) => void,
): Promise<void> {
  const id = box.id();
  const bundle = box.bundle(args, (config) => {
    config.linux.cgroupsPath = `/${id}`;
    config.linux.resources = { ...config.linux.resources, ...resources };
    change?.(config);
  });
  await box.ok(["run", "--detach", "--bundle", bundle.directory, id]);
  try {
    await use(id);
  } finally {
    await box.ok(["delete", "--force", id]);
  }
}

/** Major and minor number of the guest's disk. */
export function readDisk(): { major: number; minor: number } {
  const [major = 0, minor = 0] = readFileSync("/sys/block/vda/dev", "utf8").trim().split(":").map(Number);
  return { major, minor };
}
