// Runs the Bun that npm installed, with this script's arguments. The `bun` package links its binary in an
// install script; the project installs with --ignore-scripts, so the platform package is found directly.
import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import { arch } from "node:process";

const require = createRequire(import.meta.url);

/** Absolute path of the Bun executable for this machine; throws if the platform package is absent. */
export function findBun() {
  const cpu = arch === "arm64" ? "aarch64" : arch;
  return require.resolve(`@oven/bun-linux-${cpu}/bin/bun`);
}

if (import.meta.filename === process.argv[1]) {
  const result = spawnSync(findBun(), process.argv.slice(2), { stdio: "inherit" });
  if (result.error) throw result.error;
  process.exit(result.status ?? 128);
}
