// Entry point: gives the state of this process to the command line and exits with its answer. Nothing else in tsrunc
// exits the process.
import { main } from "../src/cli/main.ts";
import { writeText } from "../src/cli/output.ts";

// The engine would print its warnings on stderr, which callers parse.
process.on("warning", () => {});

const status = await main({
  argv: process.argv.slice(2),
  cwd: process.cwd(),
  env: process.env,
  euid: process.geteuid?.() ?? 0,
  egid: process.getegid?.() ?? 0,
  parentPid: process.ppid,
  execPath: process.execPath,
  write: writeText,
  // Not imported: most commands have nothing to say.
  isTerminal: (fd) => process.getBuiltinModule("node:tty").isatty(fd),
});
process.exit(status);
