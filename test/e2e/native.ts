// Small static C programs for what a shell cannot do, built with the machine's gcc when a test needs them.
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Compiles a C program statically into the directory, once; returns its path. */
export function compileProgram(directory: string, name: string, source: string): string {
  const program = join(directory, name);
  if (existsSync(program)) return program;
  const file = `${program}.c`;
  writeFileSync(file, source);
  const result = Bun.spawnSync(["gcc", "-O1", "-Wall", "-static", "-D_GNU_SOURCE", "-o", program, file]);
  if (result.exitCode !== 0) throw new Error(`gcc ${name}: ${result.stderr.toString()}`);
  return program;
}
