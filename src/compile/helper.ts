// A second process of init's: it shares init's table of descriptors, and nothing else. What it opens, init has.
import { errnoNumber } from "../linux/errno.ts";
import { load, NULL, openFlags, type PlanBuilder, struct, u32, u64 } from "../plan/build.ts";
import type { Field, LoadArg, NumberArg, OutBuffer, Result } from "../plan/step.ts";
import { ALL_BITS } from "./mount-target.ts";

export const SIGCHLD: NumberArg = { kind: "number", value: 17, text: "SIGCHLD" };
const CLONE_FILES: NumberArg = { kind: "number", value: 0x400, text: "CLONE_FILES" };
const CLONE_ARGS_SIZE = 64; // CLONE_ARGS_SIZE_VER0
const F_DUPFD_CLOEXEC: NumberArg = { kind: "number", value: 1030, text: "F_DUPFD_CLOEXEC" };
const POLLIN: NumberArg = { kind: "number", value: 1, text: "POLLIN" };
const SIGSET_SIZE = 8;

/** The ends of a pipe between the two; both have both. */
export interface HelperPipe {
  readonly reading: LoadArg;
  readonly writing: LoadArg;
}

export interface Helper extends HelperPipe {
  readonly pid: Result;
}

/**
 * Makes the helper. It waits until init writes `size` bytes, does the steps of `help`, and ends; without init it ends at
 * once. A step of its own that fails is reported as one of init's.
 */
export function startHelper(
  p: PlanBuilder,
  size: number,
  help: (told: OutBuffer, pipe: HelperPipe) => void,
): Helper {
  const ends = p.buffer(8, "pipe");
  p.call("pipe2", [ends, openFlags("O_CLOEXEC", "O_NONBLOCK")]);
  const pipe = { reading: load(ends, 0, 4, "pipe[0]"), writing: load(ends, 4, 4, "pipe[1]") };
  const init = p.call("getpid", [], { name: "init" });
  const pid = p.call("clone3", [describeClone(), CLONE_ARGS_SIZE], { name: "helper" });
  p.check(pid, ALL_BITS, 0, errnoNumber("ECHILD"), {
    tolerate: ["ECHILD"],
    onSuccess: () => {
      help(awaitMessage(p, init, pipe.reading, size), pipe);
      p.call("exit_group", [0]);
    },
  });
  return { pid, ...pipe };
}

/** prctl(PR_SET_PDEATHSIG) would not do: an init that has become another user may not signal the helper. */
function awaitMessage(p: PlanBuilder, init: Result, pipe: LoadArg, size: number): OutBuffer {
  const pidfd = p.call("pidfd_open", [init, 0], { name: "init_pidfd" });
  const parent = p.call("getppid", [], { name: "parent" });
  p.call("check", [parent, ALL_BITS, init, errnoNumber("ESRCH")]); // the pid was still init's
  const reading = duplicate(p, pipe, "reading");
  const events = struct(...[reading, pidfd].flatMap(describeWait));
  p.call("ppoll", [events, 2, NULL, NULL, SIGSET_SIZE]);
  p.call("close", [pidfd]);
  const told = p.buffer(size, "told");
  p.call("read", [reading, told, size], {
    tolerate: ["EAGAIN"], // it is the pidfd that has become ready
    onError: () => p.call("exit_group", [1]),
  });
  p.call("close", [reading]);
  return told;
}

/** A second descriptor of what a first one refers to (fcntl(2)). */
export function duplicate(p: PlanBuilder, fd: Result | LoadArg, name: string): Result {
  return p.call("fcntl", [fd, F_DUPFD_CLOEXEC, 0], { name });
}

/** struct pollfd. */
function describeWait(fd: Result): readonly Field[] {
  return [u32("fd", fd), { name: "events", width: 2, value: POLLIN }, { name: "", width: 2, value: 0 }];
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
