// Golden plans of the root file system, one theme each: what the plans of whole containers do not show.
// UPDATE_GOLDEN=1 writes them anew; a review reads the difference.
import { describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createDevices } from "../../src/compile/devices.ts";
import { listIdmaps } from "../../src/compile/idmap.ts";
import { openMountSources } from "../../src/compile/mount-sources.ts";
import { mountAll } from "../../src/compile/mounts.ts";
import { maskPaths, protectPaths } from "../../src/compile/paths.ts";
import { enterRootfs } from "../../src/compile/pivot.ts";
import { openPrivateProcfs } from "../../src/compile/procfs.ts";
import { attachRootfs, createCwd, finishRootfs, setRootPropagation } from "../../src/compile/rootfs.ts";
import { writeSysctls } from "../../src/compile/sysctl.ts";
import { PlanBuilder } from "../../src/plan/build.ts";
import { printPlan } from "../../src/plan/print.ts";
import type { Plan } from "../../src/plan/step.ts";
import type { Config } from "../../src/spec/config.ts";
import { facts, NONE, type Theme, themes } from "./rootfs-themes.ts";

const golden = join(import.meta.dirname, "golden/rootfs");

function print(theme: Theme): string {
  const { mounts = [], namespaces = ["mount", "pid"], linux = {}, parts, noPivot = false } = theme;
  const config = {
    ociVersion: "1.3.0",
    root: { path: "rootfs" },
    mounts,
    linux: { namespaces: namespaces.map((type) => ({ type })), ...linux },
    ...theme.config,
  } as Config;
  const host = { ...facts, cgroupMounts: theme.cgroups ?? NONE };
  const p = new PlanBuilder();
  const ends: [part: string, end: number][] = [];
  const made = new Map([...listIdmaps(config).keys()].map((maps, i) => [maps, 10 + i]));
  const end = (part: string) => ends.push([part, p.length]);
  const sources = openMountSources(p, config, host, { made });
  sources.receive();
  end("sources");
  const root = attachRootfs(p, config, host, sources);
  end("attach");
  const mounted = mountAll(p, config, host, sources, root);
  end("mounts");
  createDevices(p, config, host, root, sources);
  end("devices");
  const atCwd = p.length;
  createCwd(p, config, root);
  const afterCwd = p.length;
  enterRootfs(p, config, host, root, { noPivot });
  end("enter");
  finishRootfs(p, config, mounted);
  setRootPropagation(p, config);
  end("finish");
  const procfs = openPrivateProcfs(p);
  writeSysctls(p, config, procfs);
  protectPaths(p, config);
  maskPaths(p, config, undefined);
  end("paths");

  const plan = p.build();
  const lines = splitSteps(printPlan(plan), plan);
  let from = 0;
  const sections: string[] = [];
  for (const [part, to] of ends) {
    if (parts.includes(part as never)) sections.push(`## ${part}\n${lines.slice(from, to).join("")}`);
    from = to;
  }
  if (afterCwd > atCwd) sections.push(`## cwd\n${lines.slice(atCwd, afterCwd).join("")}`);
  return sections.join("");
}

/** One text a step: labels go with the step that they stand before, and what a step closes with that step. */
function splitSteps(printed: string, { steps }: Plan): readonly string[] {
  const lines = printed.split("\n").filter((line) => line !== "");
  const texts = steps.map((step) => {
    const labels = lines.findIndex((line) => !line.startsWith("label "));
    const closes =
      step.lane === "init" ? step.args.filter((_, k) => ((step.closes ?? 0) >> k) & 1).length : 0;
    return lines
      .splice(0, labels + 1 + closes)
      .map((line) => `${line}\n`)
      .join("");
  });
  expect(lines.filter((line) => !line.startsWith("label "))).toEqual([]);
  return texts;
}

describe("golden plans of the root file system", () => {
  for (const [name, theme] of Object.entries(themes)) {
    test(name, () => {
      const printed = print(theme);
      const path = join(golden, `${name}.txt`);
      if (process.env.UPDATE_GOLDEN === "1") {
        mkdirSync(golden, { recursive: true });
        writeFileSync(path, printed);
      }
      expect(existsSync(path)).toBe(true);
      expect(printed).toBe(readFileSync(path, "utf8"));
    });
  }
});
