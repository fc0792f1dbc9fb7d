// Builds the product into dist/: the executable `tsrunc`, and beside it koffi's addon and init.
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, renameSync, statSync } from "node:fs";
import { join } from "node:path";
import { buildInit } from "../native-bindings/init/build.mjs";
import { buildKoffi } from "../native-bindings/koffi-addon/build.mjs";
import { findBun } from "./bun.mjs";

const root = join(import.meta.dirname, "..");
const dist = join(root, "dist");

/** The commit that is checked out, `-dirty` when files differ from it; empty where there is no git. */
function readCommit() {
  try {
    const git = (...args) => execFileSync("git", args, { cwd: root, encoding: "utf8", stdio: "pipe" }).trim();
    return git("rev-parse", "HEAD") + (git("status", "--porcelain", "-uno") === "" ? "" : "-dirty");
  } catch {
    return ""; // a tree without its history is built too
  }
}

mkdirSync(dist, { recursive: true });
const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
// Made under other names and renamed: a running tsrunc keeps its files, and no moment has half a file.
const temporary = (name) => join(dist, `.${name}.new`);
const bundle = join(import.meta.dirname, "bundle.mjs");
// Bun reads many variables of its environment; none of the caller's shall change what is built.
const env = { PATH: process.env.PATH, HOME: process.env.HOME };
execFileSync(findBun(), [bundle, temporary("tsrunc"), version, readCommit()], {
  cwd: root,
  env,
  stdio: "inherit",
});
buildKoffi(temporary("koffi.node"));
buildInit(dist, undefined, ".init.new");
for (const name of ["tsrunc", "koffi.node", "init"]) {
  renameSync(temporary(name), join(dist, name));
  process.stdout.write(`dist/${name}: ${statSync(join(dist, name)).size} bytes\n`);
}
