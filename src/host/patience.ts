// A conversation with an init that may be held up for hours, in a frozen cgroup or by a seccomp agent: the engine's loop
// gets its turns meanwhile, and with them the caller's signals.
import { TsruncError } from "../errors.ts";
import { SIGKILL } from "../linux/signals.ts";
import type { Conversation } from "./conversation.ts";
import { decodePollFds, encodePollFds, POLLIN } from "./poller.ts";
import { reapChild } from "./process.ts";
import { closeSession, type Session } from "./session.ts";
import { openPidfd, waitForEnd } from "./signal.ts";

/** Within this time nearly every answer comes: it is waited for in one call. */
const PROMPT_MS = 250;
/** Then it is asked for in this rhythm. */
const ASK_MS = 50;
/** How long a killed init may take to end. */
const END_MS = 10_000;
const WNOHANG_WALL = 0x40000001;

export interface Patience {
  /** True while init cannot be expected to answer: that time does not count. */
  readonly isHeldUp: () => boolean;
  /** Throws when there is no point in waiting any longer. */
  readonly check: () => void;
}

/** Has a conversation to its end. Throws what it throws, what `check` throws, and TsruncError when init is too slow. */
export async function converse(
  session: Session,
  conversation: Conversation,
  patience: Patience,
): Promise<void> {
  for (const limitMs of conversation) await waitForAnswer(session, limitMs, patience);
}

async function waitForAnswer(session: Session, limitMs: number, patience: Patience): Promise<void> {
  const { libc, socket } = session.init;
  const hasAnswer = (timeoutMs: number): boolean => {
    const fds = encodePollFds([{ fd: socket, events: POLLIN }]);
    return libc.poll(fds, 1, timeoutMs) > 0 && decodePollFds(fds)[0] !== 0;
  };
  if (hasAnswer(PROMPT_MS)) return;
  for (let waited = PROMPT_MS; ; ) {
    await new Promise((resolve) => setTimeout(resolve, ASK_MS));
    if (hasAnswer(0)) return;
    patience.check();
    if (!patience.isHeldUp()) waited += ASK_MS;
    if (waited > limitMs) throw new TsruncError(`init did not answer within ${limitMs / 1000} seconds`);
  }
}

/**
 * Ends an init, or the process that it has made, and the conversation with it. A process of a frozen v1 cgroup ends when it
 * is thawed, and is then reaped by this process's own parent or subreaper.
 */
export function endInit(session: Session, isHeldUp: () => boolean): void {
  const { libc, launcherPid } = session.init;
  closeSession(session);
  const pid = session.pid || launcherPid;
  // One that has ended may be reaped already, and its number another process's.
  if (libc.waitpid(pid, null, WNOHANG_WALL) !== 0) return;
  libc.kill(pid, SIGKILL);
  const pidfd = openPidfd(libc, pid);
  if (pidfd === undefined) return;
  try {
    for (let left = END_MS; left > 0; left -= ASK_MS) {
      if (waitForEnd(libc, pidfd, ASK_MS)) return void reapChild(libc, pid);
      if (isHeldUp()) return;
    }
  } finally {
    libc.close(pidfd);
  }
}
