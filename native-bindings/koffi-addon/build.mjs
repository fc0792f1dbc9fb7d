// Builds koffi's addon from the sources in its npm package, as its own build does but for two things: the C++ library is
// linked in, so that a host need not have it and no start pays for loading it (a millisecond), and no symbol but the
// addon's entry points is exported.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";

const root = join(import.meta.dirname, "../..");
const koffi = join(root, "node_modules/koffi");
const cache = join(root, "node_modules/.cache/tsrunc");

const SOURCES = ["ffi", "call", "interp", "parser", "type", "util", "uv"].map(
  (name) => `src/koffi/src/${name}.cc`,
);
const ABI = { x64: "x64sysv", arm64: "arm64" };
const TRAMPOLINES = 8192; // MaxTrampolines in ffi.hh
const FLAGS = (
  "-std=c++20 -O2 -DNDEBUG -fPIC -shared -w -fvisibility=hidden -fno-semantic-interposition -fdata-sections " +
  "-ffunction-sections -fno-strict-aliasing -fno-delete-null-pointer-checks -fwrapv -fno-exceptions -fno-rtti " +
  "-D_FILE_OFFSET_BITS=64 -DFELIX_TARGET=koffi -DNAPI_VERSION=NAPI_VERSION_EXPERIMENTAL " +
  "-DNODE_ADDON_API_DISABLE_CPP_EXCEPTIONS -DNODE_ADDON_API_REQUIRE_BASIC_FINALIZERS -DBUILDING_NODE_EXTENSION " +
  "-s -static-libstdc++ -static-libgcc -Wl,--gc-sections -Wl,-z,noexecstack"
).split(" ");
const EXPORTS = "{ global: napi_register_module_v*; node_api_module_get_api_version_v*; local: *; };\n";

/** Builds the addon for this machine, unless it is built already, and copies it to a path. */
export function buildKoffi(path) {
  const { version } = JSON.parse(readFileSync(join(koffi, "package.json"), "utf8"));
  // What it is made of: the version stands for the package's files.
  const recipe = createHash("sha256")
    .update(readFileSync(import.meta.filename))
    .digest("hex")
    .slice(0, 12);
  const kept = join(cache, `koffi-${version}-${process.arch}-${recipe}.node`);
  if (!existsSync(kept)) compile(version, kept);
  copyFileSync(kept, path);
}

function compile(version, output) {
  mkdirSync(dirname(output), { recursive: true });
  const work = mkdtempSync(join(cache, "koffi-"));
  try {
    const abi = ABI[process.arch];
    if (abi === undefined) throw new Error(`koffi is not built for ${process.arch}`);
    const trampolines = join(koffi, "src/koffi/src/trampolines.cjs");
    execFileSync(process.execPath, [trampolines, work, String(TRAMPOLINES)], { stdio: "inherit" });
    // All in one unit, as in koffi's own build.
    const sources = [...SOURCES, "lib/native/base/base.cc", `src/koffi/src/abi/${abi}.cc`];
    const unit = join(work, "koffi.cc");
    writeFileSync(unit, sources.map((source) => `#include "${join(koffi, source)}"\n`).join(""));
    const exported = join(work, "exports");
    writeFileSync(exported, EXPORTS);
    const built = join(work, "koffi.node");
    const folders = ["src/koffi", ".", "vendor/node-addon-api", "vendor/node-api-headers/include"];
    const includes = [...folders.map((folder) => join(koffi, folder)), work].map((folder) => `-I${folder}`);
    const assembly = join(koffi, `src/koffi/src/abi/${abi}_asm.S`);
    const link = [`-Wl,--version-script=${exported}`, "-o", built];
    execFileSync("g++", [...FLAGS, `-DVERSION=${version}`, ...includes, unit, assembly, ...link], {
      stdio: "inherit",
    });
    renameSync(built, output);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
