// Directories that look like resctrl: this kernel or processor may have none. What only the real one does is done by
// the tests: a new group there has files, and they go with it.
import { afterAll } from "bun:test";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Makes a directory for the trees of a file of tests, and removes it after the last. */
export function openResctrlFolder() {
  const folder = mkdtempSync(join(tmpdir(), "tsrunc-resctrl-"));
  chmodSync(folder, 0o755);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  let count = 0;
  /** A tree as after `mount -t resctrl`: with the root's own files, and mon_groups. */
  function makeTree(): string {
    const root = join(folder, `resctrl-${++count}`);
    mkdirSync(join(root, "info/MB"), { recursive: true });
    mkdirSync(join(root, "mon_groups"));
    writeFileSync(join(root, "info/last_cmd_status"), "ok\n");
    writeFileSync(join(root, "info/MB/bandwidth_gran"), "10\n");
    writeFileSync(join(root, "schemata"), "    MB:0=100;1=100\n    L3:0=7ff;1=7ff\n");
    return root;
  }

  return { folder, makeTree };
}

/** resctrl's own files go with their directory; here they are in the way. */
export function emptyGroup(...directories: (string | undefined)[]): void {
  for (const directory of directories)
    for (const name of ["tasks", "schemata", "mon_groups"])
      if (directory !== undefined)
        rmSync(join(directory, name), { force: true, recursive: name === "mon_groups" });
}

export const read = (...path: string[]): string => readFileSync(join(...path), "utf8");
