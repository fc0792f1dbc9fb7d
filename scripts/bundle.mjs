// Compiles bin/tsrunc.ts into one executable. Runs in Bun, started by build.mjs.
// usage: bun scripts/bundle.mjs OUTFILE VERSION COMMIT
import { compileSchemas } from "./compile-schemas.ts";

const [outfile, version, commit] = process.argv.slice(2);

// Parts of packages that tsrunc never reaches and that would cost milliseconds at each start. Measured: commander
// takes 5 ms with all of node's modules that it names and 3 ms like this, proper-lockfile 3.5 ms and 0.4 ms.
const REPLACED = {
  // proper-lockfile is given its file functions, and a lock is released where it was taken.
  "graceful-fs": { of: "proper-lockfile", code: "module.exports = {};" },
  "signal-exit": { of: "proper-lockfile", code: "module.exports = () => {};" },
  // commander starts programs for subcommands; tsrunc has none that are programs.
  "node:child_process": { of: "commander", code: "export default {};" },
  // commander removes colours from its help; tsrunc's has none.
  "node:util": { of: "commander", code: "export const stripVTControlCharacters = (text) => text;" },
};

const replaceParts = {
  name: "replace parts of packages",
  setup(build) {
    const filter = new RegExp(`^(${Object.keys(REPLACED).join("|")})$`);
    build.onResolve({ filter }, ({ path, importer }) =>
      importer.includes(`/node_modules/${REPLACED[path].of}/`) ? { path, namespace: "replaced" } : undefined,
    );
    build.onLoad({ filter, namespace: "replaced" }, ({ path }) => ({
      contents: REPLACED[path].code,
      loader: "js",
    }));
  },
};

const putCompiledSchemas = {
  name: "put compiled schemas",
  setup(build) {
    build.onLoad({ filter: /\/src\/spec\/compiled-checkers\.ts$/ }, () => ({
      contents: compileSchemas(),
      loader: "js",
    }));
  },
};

const result = await Bun.build({
  entrypoints: ["bin/tsrunc.ts"],
  plugins: [replaceParts, putCompiledSchemas],
  target: "bun",
  format: "esm",
  // What a command does not import then costs it nothing: 2 ms less at each start than one chunk for all.
  splitting: true,
  minify: true,
  bytecode: true,
  // Nothing of the builder's environment goes into the bundle.
  env: "disable",
  define: {
    TSRUNC_VERSION: JSON.stringify(version),
    TSRUNC_COMMIT: JSON.stringify(commit),
    "process.env.NODE_ENV": '"production"',
  },
  compile: {
    outfile,
    // Nearly every function runs a few times and then never again: compiling it to machine code costs 4 ms of a `run`.
    jitPolicy: 20,
    // The working directory is the bundle of a container, which nobody vouches for: nothing there is read.
    autoloadDotenv: false,
    autoloadBunfig: false,
    autoloadTsconfig: false,
    autoloadPackageJson: false,
  },
});
for (const log of result.logs) process.stderr.write(`${log}\n`);
if (!result.success) process.exitCode = 1;
