import type { Libc } from "../../native-bindings/libc.ts";
import type { Poller } from "./poller.ts";
import type { SignalSource } from "./terminal.ts";

/** Wait status of a child (see exitStatus in process.ts). */
export function waitForExit(_libc: Libc, _poller: Poller, _pid: number): Promise<number> {
  throw new Error("in work");
}

/** Forwards signals to a child until the returned function is called. `terminal`: SIGWINCH is not forwarded. */
export function forwardSignals(
  _libc: Libc,
  _signals: SignalSource,
  _pidfd: number,
  _options: { readonly terminal: boolean },
): () => void {
  throw new Error("in work");
}

/** PR_SET_CHILD_SUBREAPER of the whole process. */
export function setChildSubreaper(_libc: Libc): void {
  throw new Error("in work");
}

/** Reaps ended children other than `pid` at each SIGCHLD until the returned function is called. */
export function reapOrphans(_libc: Libc, _signals: SignalSource, _pid: number): () => void {
  throw new Error("in work");
}
