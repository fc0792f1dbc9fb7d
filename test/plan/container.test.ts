// Golden plans: what create and start do for each config, call by call. UPDATE_GOLDEN=1 writes them anew; a review
// reads the difference.
import { describe, expect, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { compileContainer, compileStart } from "../../src/compile/container.ts";
import type { Facts, SourceType } from "../../src/compile/facts.ts";
import { listIdmaps } from "../../src/compile/idmap.ts";
import { describeInstallation } from "../../src/compile/seccomp.ts";
import { printPlan } from "../../src/plan/print.ts";
import { parseConfig } from "../../src/spec/config.ts";
import { host } from "./facts.ts";

const fixtures = join(import.meta.dirname, "../../spec-fixtures/good");
const golden = join(import.meta.dirname, "golden");
const names = readdirSync(fixtures)
  .filter((name) => name.endsWith(".json"))
  .map((name) => name.slice(0, -".json".length))
  // A config without a process can be created nowhere but in the spec.
  .filter((name) => "process" in JSON.parse(readFileSync(join(fixtures, `${name}.json`), "utf8")));

/** A host on which every source is a directory. */
const facts: Facts = {
  ...host,
  mountPoints: [
    { path: "/", root: "/", fsType: "ext4", propagation: ["shared:1"] },
    { path: "/proc", root: "/", fsType: "proc", propagation: ["shared:2"] },
    { path: "/sys", root: "/", fsType: "sysfs", propagation: ["shared:3"] },
  ],
  sources: { get: () => "directory", has: () => true } as unknown as ReadonlyMap<string, SourceType>,
  cgroupMounts: { unified: "/sys/fs/cgroup/demo", hierarchies: [], links: [] },
  boundingSet: (1n << 41n) - 1n,
};

function printAll(name: string): string {
  const config = parseConfig(readFileSync(join(fixtures, `${name}.json`), "utf8"), { requireProcess: true });
  const cgroup = { taskFiles: [], cloneInto: "/sys/fs/cgroup/demo" };
  const idNamespaces = new Map([...listIdmaps(config).keys()].map((maps, i) => [maps, 20 + i]));
  const options = { id: "demo", noPivot: false, noNewKeyring: false, consoleSocket: 9, cgroup, idNamespaces };
  const create = printPlan(compileContainer(config, facts, options).plan);
  const profile = config.linux?.seccomp;
  const seccomp = profile && describeInstallation(profile, new Uint8Array(8 * 100));
  const rest = { env: config.process.env ?? [], keepFds: [], seccomp, socket: 7 };
  return `${create}--- start ---\n${printPlan(compileStart(config, facts, rest))}`;
}

describe("golden plans", () => {
  test("there are fixtures", () => expect(names.length).toBeGreaterThan(0));
  for (const name of names) {
    test(name, () => {
      const printed = printAll(name);
      const path = join(golden, `${name}.txt`);
      if (process.env.UPDATE_GOLDEN === "1") {
        mkdirSync(golden, { recursive: true });
        writeFileSync(path, printed);
      }
      expect(printed).toBe(readFileSync(path, "utf8"));
    });
  }
});
