// Small static C programs for what a shell cannot do, built with the machine's gcc when a test needs them.
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const built = new Map<string, string>();

/** Compiles a C program statically, once for all tests of the process; returns its path on the host. */
export function compileProgram(name: string, source: string): string {
  const known = built.get(name);
  if (known !== undefined) return known;
  const directory = mkdtempSync(join(tmpdir(), "tsrunc-native-"));
  process.on("exit", () => Bun.spawnSync(["rm", "-rf", directory]));
  const file = join(directory, `${name}.c`);
  const program = join(directory, name);
  writeFileSync(file, source);
  const result = Bun.spawnSync(["gcc", "-O1", "-Wall", "-static", "-D_GNU_SOURCE", "-o", program, file]);
  if (result.exitCode !== 0) throw new Error(`gcc ${name}: ${result.stderr.toString()}`);
  built.set(name, program);
  return program;
}
