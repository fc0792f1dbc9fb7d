// A second process of init's: it shares init's table of descriptors, and nothing else. What it opens, init has.
import { errnoNumber } from "../linux/errno.ts";
import { load, openFlags, type PlanBuilder, struct, u64 } from "../plan/build.ts";
import type { LoadArg, NumberArg, Result } from "../plan/step.ts";
import { ALL_BITS } from "./mount-target.ts";

const SIGCHLD: NumberArg = { kind: "number", value: 17, text: "SIGCHLD" };
const SIGKILL: NumberArg = { kind: "number", value: 9, text: "SIGKILL" };
const CLONE_FILES: NumberArg = { kind: "number", value: 0x400, text: "CLONE_FILES" };
const CLONE_ARGS_SIZE = 64; // CLONE_ARGS_SIZE_VER0
const PR_SET_PDEATHSIG: NumberArg = { kind: "number", value: 1, text: "PR_SET_PDEATHSIG" };

export interface Helper {
  readonly pid: Result;
  /** The ends of a pipe between the two; both have both. */
  readonly reading: LoadArg;
  readonly writing: LoadArg;
}

/**
 * Makes the helper, which does the steps of `help` and ends. Its life ends with init's. A step of its own that fails is
 * reported as one of init's.
 */
export function startHelper(p: PlanBuilder, help: (helper: Omit<Helper, "pid">) => void): Helper {
  const ends = p.buffer(8, "pipe");
  p.call("pipe2", [ends, openFlags("O_CLOEXEC")]);
  const pipe = { reading: load(ends, 0, 4, "pipe[0]"), writing: load(ends, 4, 4, "pipe[1]") };
  const init = p.call("getpid", [], { name: "init" });
  const pid = p.call("clone3", [describeClone(), CLONE_ARGS_SIZE], { name: "helper" });
  p.check(pid, ALL_BITS, 0, errnoNumber("ECHILD"), {
    tolerate: ["ECHILD"],
    onSuccess: () => {
      p.call("prctl", [PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0]);
      const parent = p.call("getppid", [], { name: "parent" });
      p.call("check", [parent, ALL_BITS, init, errnoNumber("ESRCH")]); // init may have ended before the prctl
      help(pipe);
      p.call("exit_group", [0]);
    },
  });
  return { pid, ...pipe };
}

/** A copy of init, but for the descriptors, which are the same. */
function describeClone() {
  return struct(
    u64("flags", CLONE_FILES),
    u64("", 0), // pidfd
    u64("", 0), // child_tid
    u64("", 0), // parent_tid
    u64("exit_signal", SIGCHLD),
    u64("", 0), // stack
    u64("", 0), // its size
    u64("", 0), // tls
  );
}
