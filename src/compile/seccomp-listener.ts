// Hands the listener of a seccomp filter from init to the host. The filter may forbid everything that could send a
// descriptor, and taking one from outside needs a privilege that an ordinary user does not have. So a helper does it:
// a child that init makes before, which shares its table of descriptors and is under no filter.
import { errnoNumber } from "../linux/errno.ts";
import { load, NULL, openFlags, type PlanBuilder, struct, u64 } from "../plan/build.ts";
import { describeListener, REPORT_SIZE } from "../plan/report.ts";
import type { LoadArg, NumberArg, Result } from "../plan/step.ts";
import { ALL_BITS } from "./mount-target.ts";
import { describeRights, RIGHTS_SIZE, sendRights } from "./scm-rights.ts";

const SIGCHLD: NumberArg = { kind: "number", value: 17, text: "SIGCHLD" };
const SIGKILL: NumberArg = { kind: "number", value: 9, text: "SIGKILL" };
const SA_NOCLDWAIT: NumberArg = { kind: "number", value: 2, text: "SA_NOCLDWAIT" };
const SIGSET_SIZE = 8;
const CLONE_FILES: NumberArg = { kind: "number", value: 0x400, text: "CLONE_FILES" };
const CLONE_ARGS_SIZE = 64; // CLONE_ARGS_SIZE_VER0
const PR_SET_PDEATHSIG: NumberArg = { kind: "number", value: 1, text: "PR_SET_PDEATHSIG" };
const INTENT = "hand the seccomp listener over";
const PATH = "linux.seccomp.listenerPath";

/** A helper that waits for a listener. */
export interface ListenerHelper {
  /** Descriptor, in init, of its connection to the host. */
  readonly socket: number;
  /** The end of the pipe over which the helper is told what to send. */
  readonly pipe: LoadArg;
  readonly pidfd: Result;
}

/**
 * Makes the helper. It is no zombie of the container's: init asks the kernel not to keep its dead children, until its
 * execve, before which the host waits for the helper's end.
 */
export function makeListenerHelper(p: PlanBuilder, socket: number): ListenerHelper {
  return p.at(PATH, INTENT, () => {
    const ends = p.buffer(8, "pipe");
    p.call("pipe2", [ends, openFlags("O_CLOEXEC")]);
    const action = struct(u64("handler", 0), u64("flags", SA_NOCLDWAIT), u64("restorer", 0), u64("mask", 0));
    p.call("rt_sigaction", [SIGCHLD, action, NULL, SIGSET_SIZE]);
    const init = p.call("getpid", [], { name: "init" });
    const helper = p.call("clone3", [describeClone(), CLONE_ARGS_SIZE], { name: "helper" });
    p.check(helper, ALL_BITS, 0, errnoNumber("ECHILD"), {
      tolerate: ["ECHILD"],
      onSuccess: () => help(p, socket, init, load(ends, 0, 4, "pipe[0]")),
    });
    const pidfd = p.call("pidfd_open", [helper, 0], { name: "pidfd" });
    return { socket, pipe: load(ends, 4, 4, "pipe[1]"), pidfd };
  });
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

/** What the helper does: its life ends with init's, or when it has sent the message that init gave it. */
function help(p: PlanBuilder, socket: number, init: Result, pipe: LoadArg): void {
  p.call("prctl", [PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0]);
  const parent = p.call("getppid", [], { name: "parent" });
  p.call("check", [parent, ALL_BITS, init, errnoNumber("ESRCH")]); // init may have ended before the prctl
  const control = p.buffer(RIGHTS_SIZE, "descriptors");
  p.call("read", [pipe, control, RIGHTS_SIZE]);
  sendRights(p, socket, describeListener(), REPORT_SIZE, control);
  p.call("exit_group", [0]);
}

/**
 * Right after the filter is installed: has the helper send the listener, and a pidfd of itself, and waits in read(2)
 * until the host has given the listener to the agent. write(2) may not itself be answered by the agent; everything
 * after it may.
 */
export function handOverListener(p: PlanBuilder, listener: Result, helper: ListenerHelper): void {
  p.at(PATH, INTENT, () => {
    p.call("write", [helper.pipe, describeRights(listener, helper.pidfd), RIGHTS_SIZE]);
    const answer = p.buffer(8, "answer");
    const length = p.call("read", [helper.socket, answer, 1], { name: "length" });
    p.check(length, ALL_BITS, 1n, errnoNumber("EPIPE"), {
      failure: `${PATH}: the seccomp listener was not handed over`,
    });
  });
}
