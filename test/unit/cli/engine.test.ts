import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

let folder: string;
let probe: string;

// Compiled as the product is: an engine that runs a source file has more descriptors open.
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "tsrunc-engine-"));
  probe = join(folder, "probe");
  const built = await Bun.build({
    entrypoints: [join(import.meta.dirname, "engine-probe.ts")],
    compile: { outfile: probe },
  });
  expect(built.success).toBe(true);
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Runs the probe from a shell that has prepared the process. */
function run(
  script: string,
  extra: readonly number[] = [],
): { fds: number[]; nofile: { soft: number; hard: number } | null } {
  const { stdout, status, stderr } = spawnSync("/bin/bash", ["-c", script], {
    encoding: "utf8",
    env: { PROBE: probe },
    stdio: ["ignore", "pipe", "pipe", ...extra],
  });
  expect([status, stderr]).toEqual([0, ""]);
  return JSON.parse(stdout);
}

describe("inherited descriptors", () => {
  test("none", () => expect(run('"$PROBE"').fds).toEqual([]));

  test("those of the caller, with gaps", () => {
    const file = openSync("/dev/null", "r");
    try {
      expect(run('"$PROBE"', [file]).fds).toEqual([3]);
      expect(run('exec 7</etc/passwd; "$PROBE"', [file]).fds).toEqual([3, 7]);
      expect(run('exec 4</ 5>&1 9</etc/passwd; "$PROBE"').fds).toEqual([4, 5, 9]);
    } finally {
      closeSync(file);
    }
  });

  test("a close-on-exec descriptor was not passed", () => {
    expect(run('exec 6</etc/passwd; exec 6<&-; "$PROBE"').fds).toEqual([]);
  });

  test("an eventfd of the caller is passed", () => {
    // Python makes one, inheritable, in the place of fd 5.
    const script =
      'exec python3 -c \'import os; os.dup2(os.eventfd(0), 5); os.execv(os.environ["PROBE"], ["probe"])\'';
    expect(run(script).fds).toEqual([5]);
  });
});

describe("soft limit of open files", () => {
  test("that of the parent, where the engine has raised it", () => {
    expect(run('ulimit -Sn 333; "$PROBE"; exit').nofile?.soft).toBe(333);
  });
  test("unknown where soft and hard limit are the same", () => {
    expect(run('ulimit -n 444; "$PROBE"; exit').nofile).toBeNull();
  });
  test("unknown where the parent has another hard limit", () => {
    expect(run('(ulimit -Sn 333; ulimit -Hn 400; exec "$PROBE"); exit').nofile).toBeNull();
  });
});
