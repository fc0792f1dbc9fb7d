// Runs the Biome that npm installed, with this project's rules. Its wrapper package asks for the binaries of every
// platform, of which not all can be had from every registry, and `npm ci` refuses a lock file without them: so the
// platform's package is named directly in package.json.
import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import { arch } from "node:process";

const require = createRequire(import.meta.url);
const biome = require.resolve(`@biomejs/cli-linux-${arch}/biome`);
const [command, ...rest] = process.argv.slice(2);
const result = spawnSync(biome, [command, "--config-path=scripts/lint.json", ...rest], { stdio: "inherit" });
if (result.error) throw result.error;
process.exit(result.status ?? 128);
