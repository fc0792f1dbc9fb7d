// Real attacks of a hostile image or container on the runtime and the host: config.json as a weapon.
import { describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openAttackSandbox, ours } from "./attacks.ts";
import type { Config } from "./config.ts";
import { isPeer } from "./harness.ts";

const { box, runBundle } = openAttackSandbox("security-config");

describe("config.json as a weapon", () => {
  const runText = async (text: string) => {
    const bundle = box.bundle(["true"]);
    writeFileSync(join(bundle.directory, "config.json"), text);
    return runBundle(bundle);
  };
  const base = (): string => readFileSync(join(box.bundle(["true"]).directory, "config.json"), "utf8");

  ours("too deep, too large, not JSON, not an object: a clear error", async () => {
    for (const text of [
      "[".repeat(100_000),
      `{"a":${'{"a":'.repeat(5000)}1${"}".repeat(5000)}}`,
      "",
      "null",
      "[]",
      '"x"',
      "{",
      "\u0000",
      "{}",
    ]) {
      const result = await runText(text);
      expect(result.status).toBe(1);
      expect(result.stderr).not.toMatch(/at .*\.ts|TypeError|RangeError|undefined/);
      expect(result.stderr.length).toBeLessThan(5000);
    }
  });
  ours("__proto__ and constructor are keys like any other", async () => {
    const result = await runText(
      base().replace(
        '{"ociVersion"',
        '{"__proto__":{"hooks":{"createRuntime":[{"path":"/bin/false"}]}},"annotations":{"__proto__":"x","constructor":"y"},"ociVersion"',
      ),
    );
    expect(result.stderr).toBe("");
    expect(result.status).toBe(0);
  });
  ours("of two equal keys the last wins", async () => {
    const result = await runText(
      base()
        .replace('"hostname":"tested"', '"hostname":"first","hostname":"last"')
        .replace('"args":["true"]', '"args":["hostname"]'),
    );
    expect(result.stdout).toBe("last\n");
  });
  ours("NUL in any text is refused with its path", async () => {
    const cases: [string, (config: Config) => void][] = [
      ["process.args[1]", (config) => config.process.args.push("a\0b")],
      [
        "process.cwd",
        (config) => {
          config.process.cwd = "/a\0b";
        },
      ],
      [
        "hostname",
        (config) => {
          config.hostname = "a\0b";
        },
      ],
      [
        "mounts[6].destination",
        (config) => void config.mounts.push({ destination: "/a\0b", type: "tmpfs", source: "t" }),
      ],
      [
        "mounts[6].source",
        (config) => void config.mounts.push({ destination: "/a", type: "tmpfs", source: "a\0b" }),
      ],
      [
        "mounts[6].options[0]",
        (config) =>
          void config.mounts.push({ destination: "/a", type: "tmpfs", source: "t", options: ["a\0b"] }),
      ],
      [
        "root.path",
        (config) => {
          config.root.path = "a\0b";
        },
      ],
    ];
    for (const [path, change] of cases) {
      const result = await box.look(["true"], change);
      expect({ path, status: result.status, told: result.stderr.includes(path) }).toEqual({
        path,
        status: 1,
        told: true,
      });
    }
  });
  test("a command with quotes, newlines and escapes in it stays data", async () => {
    const result = await box.look(['/no"such\n\u001b[31mthing\u0007']);
    expect(result.status).toBe(1);
    if (!isPeer)
      for (const control of ["\u001b", "\u0007"]) expect(result.stderr.includes(control)).toBe(false);
  });
});
