// What the tests of `update` on a v1 or hybrid host share.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Sandbox } from "./harness.ts";

export const ROOT = "/sys/fs/cgroup";
export const isV1 = existsSync(`${ROOT}/memory`);
export const MB = 1048576;

export function openUpdates(box: Sandbox) {
  return {
    /** A created container, with its cgroups at /ID unless told. */
    create: async (
      resources: Record<string, unknown> = {},
      args = ["sleep", "100"],
      cgroupsPath?: string,
    ): Promise<string> => {
      const id = box.id();
      const bundle = box.bundle(args, (config) => {
        config.linux.cgroupsPath = cgroupsPath ?? `/${id}`;
        config.linux.resources = { ...config.linux.resources, ...resources };
      });
      await box.ok(["create", "--bundle", bundle.directory, id]);
      return id;
    },
    /** A file of the cgroup, in the hierarchy that its name begins with. */
    read: (id: string, file: string): string => {
      const controller = file.split(".", 1)[0] as string;
      return readFileSync(`${ROOT}/${controller}/${id}/${file}`, "utf8").trim();
    },
    remove: (id: string) => box.ok(["delete", "--force", id]),
    /** A new file with this text; gives its path. */
    file: (text: string): string => {
      const path = join(box.directory, `resources-${box.id()}.json`);
      writeFileSync(path, text);
      return path;
    },
  };
}
