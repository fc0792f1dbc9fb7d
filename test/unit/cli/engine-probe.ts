// Prints what engine.ts finds out about this process, as JSON.
import { guessCallerNofile, listInheritedFds } from "../../../src/cli/engine.ts";

const fds = listInheritedFds();
process.stdout.write(JSON.stringify({ fds, nofile: guessCallerNofile(process.ppid) ?? null }));
