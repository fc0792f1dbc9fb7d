// What the tests of attacks share: a host directory to aim at, and changes that make an image hostile.
import { expect, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Config } from "./config.ts";
import { type Bundle, isPeer, openSandbox, type Result, type Sandbox } from "./harness.ts";

export const ours = test.skipIf(isPeer);

export interface AttackSandbox {
  readonly box: Sandbox;
  /** A directory on the host that the attacks aim at, with a file; `check` expects it unchanged. */
  readonly makeTarget: (name: string) => { path: string; check: () => void };
  readonly runBundle: (bundle: Bundle, flags?: readonly string[]) => Promise<Result>;
}

/** Opens a sandbox, with what attacks in it need. */
export function openAttackSandbox(theme: string): AttackSandbox {
  const box = openSandbox(theme);

  const makeTarget: AttackSandbox["makeTarget"] = (name) => {
    const path = join(box.directory, `target-${name}`);
    mkdirSync(path);
    writeFileSync(join(path, "file"), "of the host", { mode: 0o644 });
    writeFileSync(join(path, "ptmx"), "of the host");
    return {
      path,
      check: () => {
        expect(readdirSync(path).sort()).toEqual(["file", "ptmx"]);
        for (const file of ["file", "ptmx"]) {
          expect(readFileSync(join(path, file), "utf8")).toBe("of the host");
          expect(statSync(join(path, file)).uid).toBe(0);
        }
        expect(readFileSync("/proc/self/mountinfo", "utf8")).not.toMatch(path);
      },
    };
  };

  const runBundle: AttackSandbox["runBundle"] = (bundle, flags = []) =>
    box.run(["run", ...flags, "--bundle", bundle.directory, box.id()]);
  return { box, makeTarget, runBundle };
}

/** Puts a symbolic link in the place of what the image has. */
export function replaceByLink(bundle: Bundle, path: string, target: string): void {
  const full = join(bundle.rootfs, path);
  rmSync(full, { recursive: true, force: true });
  mkdirSync(dirname(full), { recursive: true });
  symlinkSync(target, full);
}

/** Leaves /dev to the image. */
export const withoutDev = (config: Config): void => {
  config.mounts = config.mounts.filter((m) => !m.destination.startsWith("/dev"));
};
