// Installs the build: PREFIX/lib/tsrunc/{tsrunc,koffi.node,init} and the link PREFIX/bin/tsrunc.
// usage: node scripts/install-system.mjs [PREFIX]   (PREFIX may also come from the environment; default /usr/local)
import {
  chmodSync,
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  renameSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { join, relative, resolve } from "node:path";

const prefix = resolve(process.argv[2] ?? process.env.PREFIX ?? "/usr/local");
const from = resolve(import.meta.dirname, "../dist");
const library = join(prefix, "lib/tsrunc");
const programs = join(prefix, "bin");
const modes = { tsrunc: 0o755, "koffi.node": 0o644, init: 0o755 };

for (const name of Object.keys(modes)) {
  if (existsSync(join(from, name))) continue;
  process.stderr.write(`${join(from, name)} is missing: run \`npm run build\` first\n`);
  process.exit(1);
}

mkdirSync(library, { recursive: true });
mkdirSync(programs, { recursive: true });
for (const [name, mode] of Object.entries(modes)) {
  // Renamed over the old one: a running tsrunc keeps its file, and no moment has half a file.
  const temporary = join(library, `.${name}.new`);
  copyFileSync(join(from, name), temporary);
  chmodSync(temporary, mode);
  renameSync(temporary, join(library, name));
}

const link = join(programs, "tsrunc");
const present = lstatSync(link, { throwIfNoEntry: false });
if (present !== undefined && !present.isSymbolicLink()) {
  process.stderr.write(`${link} exists and is no symbolic link: left alone\n`);
  process.exit(1);
}
rmSync(link, { force: true });
symlinkSync(relative(programs, join(library, "tsrunc")), link);
process.stdout.write(`installed ${link} -> ${join(library, "tsrunc")}\n`);
