// A socket of rtnetlink(7): requests and their answers.
import type { Libc } from "../../native-bindings/libc.ts";
import { SyscallError } from "../errors.ts";
import {
  decodeError,
  decodeMessages,
  type Message,
  NLM_F_DUMP_INTR,
  NLMSG,
  type Request,
} from "../linux/netlink.ts";
import { closeFd, setReceiveTimeout } from "./fd.ts";

export const AF_NETLINK = 16;
const SOCK_RAW_CLOEXEC = 3 | 0o2000000;
export const NETLINK_ROUTE = 0;
const SOL_NETLINK = 270;
const NETLINK_EXT_ACK = 11;
const EINTR = 4;
/** The kernel answers within the call that sends a request; this is for the day when it does not. */
const TIMEOUT_MS = 10_000;
const BUFFER_SIZE = 65536;
/** A list that changed while it was read is read again (NLM_F_DUMP_INTR). */
const DUMP_ATTEMPTS = 10;

export interface Netlink {
  /**
   * Sends a request; gives the messages of the answer. Throws SyscallError, which begins with `intent`, with the
   * kernel's words, if it has any.
   */
  readonly ask: (intent: string, request: Request) => readonly Message[];
  readonly close: () => void;
}

/** A socket in this process's network namespace. Throws SyscallError. */
export function openNetlink(libc: Libc, intent: string): Netlink {
  const fd = libc.socket(AF_NETLINK, SOCK_RAW_CLOEXEC, NETLINK_ROUTE);
  if (fd < 0) throw new SyscallError(intent, "socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE)", libc.errno());
  return wrapNetlink(libc, fd);
}

/** A socket that is open already, perhaps of another network namespace; `close` closes it. */
export function wrapNetlink(libc: Libc, fd: number): Netlink {
  let sequence = 0;
  setReceiveTimeout(libc, fd, TIMEOUT_MS);
  // Without the option errors have only their number; every kernel of tsrunc's has it (Linux 4.12).
  libc.setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, new Uint8Array([1, 0, 0, 0]), 4);

  const ask = (intent: string, request: Request, attempt = 1): readonly Message[] => {
    sequence++;
    const bytes = request.encode(sequence);
    if (libc.send(fd, bytes, bytes.length, 0) < 0) throw new SyscallError(intent, request.text, libc.errno());
    const { messages, wasInterrupted } = receiveAnswer(intent, request);
    return wasInterrupted && attempt < DUMP_ATTEMPTS ? ask(intent, request, attempt + 1) : messages;
  };

  /** The answer ends with an error (0: all went well), a list with a message of its own. */
  const receiveAnswer = (intent: string, request: Request) => {
    const messages: Message[] = [];
    let wasInterrupted = false;
    for (;;) {
      for (const message of receive(intent, request)) {
        if (message.sequence !== sequence) continue;
        if (message.flags & NLM_F_DUMP_INTR) wasInterrupted = true;
        if (message.type === NLMSG.DONE) return { messages, wasInterrupted };
        if (message.type !== NLMSG.ERROR) {
          messages.push(message);
          continue;
        }
        const { errno, text } = decodeError(message);
        if (errno !== 0) throw new SyscallError(intent, request.text, errno, text);
        return { messages, wasInterrupted };
      }
    }
  };

  const receive = (intent: string, request: Request): readonly Message[] => {
    const buffer = new Uint8Array(BUFFER_SIZE);
    for (;;) {
      const got = libc.recv(fd, buffer, buffer.length, 0);
      if (got >= 0) return decodeMessages(buffer.subarray(0, got));
      const errno = libc.errno();
      if (errno !== EINTR) throw new SyscallError(intent, `recv(netlink) after ${request.text}`, errno);
    }
  };

  return { ask, close: () => closeFd(libc, fd) };
}
