// Entry point: gives the state of this process to the command line and exits with its answer. Nothing else in tsrunc
// exits the process.
import { realpathSync } from "node:fs";
import { main } from "../src/cli/main.ts";
import { writeText } from "../src/cli/output.ts";

// The engine would print its warnings on stderr, which callers parse.
process.on("warning", () => {});

/** `process.cwd()` throws in a directory that was removed: that is no reason not to tell the version. */
function readCwd(): string {
  try {
    return process.cwd();
  } catch {
    return "/";
  }
}

const status = await main({
  argv: process.argv.slice(2),
  cwd: readCwd(),
  env: process.env,
  euid: process.geteuid?.() ?? 0,
  egid: process.getegid?.() ?? 0,
  parentPid: process.ppid,
  execPath: realpathSync(process.execPath),
  write: writeText,
});
process.exit(status);
