// Runs hooks as real processes, and sees to it that nothing of them is left.
import { afterAll, expect } from "bun:test";
import type { ChildProcess } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type HookCommand, type HookOptions, runHooks } from "../../src/host/hooks.ts";
import type { HookKind } from "../../src/plan/host-action.ts";
import { context } from "../init/init.ts";
import { countDescriptors, listChildren } from "./leaks.ts";

export const sh = (script: string, more: Partial<HookCommand> = {}): HookCommand => ({
  path: "/bin/sh",
  args: ["sh", "-c", script],
  env: ["PATH=/usr/bin:/bin"],
  ...more,
});

export interface Result {
  readonly error: string | undefined;
  readonly ms: number;
}

/** Makes a working directory for hooks, and removes it after the last test. */
export function openHookFolder() {
  const folder = mkdtempSync(join(tmpdir(), "tsrunc-hooks-"));
  const file = (name: string): string => join(folder, name);
  const read = (name: string): string => readFileSync(file(name), "utf8");
  afterAll(() => rmSync(folder, { recursive: true }));

  /** Children of the tests' own, which are no hooks. */
  const own = new Set<ChildProcess>();
  const children = (): number[] => [...own].map((child) => child.pid as number);

  function run(
    hook: HookCommand,
    options: Partial<HookOptions> = {},
    kind: HookKind = "createRuntime",
  ): Result {
    const before = countDescriptors();
    const start = performance.now();
    let error: string | undefined;
    try {
      runHooks(context, kind, [hook], { state: "{}", cwd: folder, ...options });
    } catch (thrown) {
      error = (thrown as Error).message;
    }
    const ms = performance.now() - start;
    expect(countDescriptors()).toBeLessThanOrEqual(before); // the test's own child processes close some late
    expect(listChildren()).toEqual(children());
    return { error, ms };
  }

  return { folder, file, read, own, run };
}
