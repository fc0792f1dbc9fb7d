// Hands the listener of a seccomp filter from init to the host. The filter may forbid everything that could send a
// descriptor, and taking one from outside needs a privilege that an ordinary user does not have. So a helper does it:
// a child that init makes before, which shares its table of descriptors and is under no filter.
import { errnoNumber } from "../linux/errno.ts";
import { NULL, type PlanBuilder, struct, u32, u64 } from "../plan/build.ts";
import { MAGIC_REPORT, REPORT_SIZE, REPORT_TYPES } from "../plan/report.ts";
import type { LoadArg, NumberArg, Pointee, Result } from "../plan/step.ts";
import { SIGCHLD, startHelper } from "./helper.ts";
import { ALL_BITS } from "./mount-target.ts";
import { describeRights, RIGHTS_SIZE, sendRights } from "./scm-rights.ts";

const SA_NOCLDWAIT: NumberArg = { kind: "number", value: 2, text: "SA_NOCLDWAIT" };
const SIGSET_SIZE = 8;
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
    const action = struct(u64("handler", 0), u64("flags", SA_NOCLDWAIT), u64("restorer", 0), u64("mask", 0));
    p.call("rt_sigaction", [SIGCHLD, action, NULL, SIGSET_SIZE]);
    const { pid, writing } = startHelper(p, RIGHTS_SIZE, (control) =>
      sendRights(p, socket, describeListener(), REPORT_SIZE, control),
    );
    const pidfd = p.call("pidfd_open", [pid, 0], { name: "pidfd" });
    return { socket, pipe: writing, pidfd };
  });
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

/** The report that is sent along with a listener: REPORT_SIZE bytes. */
function describeListener(): Pointee {
  const type = REPORT_TYPES.indexOf("listening");
  return struct(
    u32("", { kind: "number", value: MAGIC_REPORT }),
    u32("type", { kind: "number", value: type, text: "listening" }),
    u32("", 0),
    u32("", 0),
    u32("", 0),
    u32("", 0),
  );
}
