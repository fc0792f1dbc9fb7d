// The last thing that is said to an init: what to execute.
import { stepError } from "../plan/print.ts";
import { decodeReportHeader, REPORT_SIZE } from "../plan/report.ts";
import type { InitStep } from "../plan/step.ts";
import type { Conversation } from "./conversation.ts";
import { setReceiveTimeout } from "./fd.ts";
import { BATCH_TIMEOUT_MS, receiveUnlessEnded, sendAll } from "./init-socket.ts";
import { LISTENER_TAKEN, type TakeListener } from "./seccomp-listener.ts";
import { encodeSteps, type Session } from "./session.ts";

/**
 * Sends the last steps of init's life, which end in execve, and waits until the program runs: then the socket is
 * closed without a word. `takeListener` is for a filter with a listener. Throws the error of a step that failed.
 */
export function* discussExecution(
  session: Session,
  steps: readonly InitStep[],
  takeListener: TakeListener | undefined,
): Conversation {
  const batch = encodeSteps(session, steps, 0);
  sendAll(session, batch.bytes);
  for (let limitMs = BATCH_TIMEOUT_MS; ; ) {
    yield limitMs;
    const fds: number[] = [];
    const bytes = receiveUnlessEnded(session, REPORT_SIZE, takeListener && fds);
    if (bytes === undefined) return;
    const header = decodeReportHeader(bytes);
    if (header.type !== "listening" || !takeListener)
      throw stepError(steps[batch.planIndex[header.index] as number] as InitStep, header.value);
    takeListener(fds);
    sendAll(session, LISTENER_TAKEN);
    // How long execve takes is the agent's affair.
    setReceiveTimeout(session.init.libc, session.init.socket, 0);
    limitMs = Number.POSITIVE_INFINITY;
  }
}
