// Descriptors in a message of an AF_UNIX socket (unix(7), cmsg(3)).
import { type PlanBuilder, struct, u32, u64 } from "../plan/build.ts";
import type { Field, NumberArg, OutBuffer, Pointee, Result } from "../plan/step.ts";

const SOL_SOCKET: NumberArg = { kind: "number", value: 1, text: "SOL_SOCKET" };
const SCM_RIGHTS: NumberArg = { kind: "number", value: 1, text: "SCM_RIGHTS" };
const MSG_NOSIGNAL: NumberArg = { kind: "number", value: 0x4000, text: "MSG_NOSIGNAL" };
/** Bytes of a control message with one or two descriptors. */
export const RIGHTS_SIZE = 24;

/** The control message that carries one or two descriptors: RIGHTS_SIZE bytes. */
export function describeRights(fd: Result, second?: Result): Pointee {
  return struct(
    u64("cmsg_len", second ? 24 : 20),
    u32("cmsg_level", SOL_SOCKET),
    u32("cmsg_type", SCM_RIGHTS),
    u32("fd", fd),
    second ? u32("fd", second) : u32("", 0),
  );
}

/** Sends `size` bytes of data, and with them the descriptors of a control message; nobody is killed by SIGPIPE. */
export function sendRights(
  p: PlanBuilder,
  socket: number,
  data: Pointee,
  size: number,
  control: Pointee | OutBuffer,
): void {
  const iov = struct(u64("iov_base", data), u64("iov_len", size));
  const message: readonly Field[] = [
    u64("", 0), // name
    u64("", 0), // its length
    u64("msg_iov", iov),
    u64("msg_iovlen", 1),
    u64("msg_control", control),
    u64("msg_controllen", RIGHTS_SIZE),
    u64("", 0), // flags
  ];
  p.call("sendmsg", [socket, struct(...message), MSG_NOSIGNAL]);
}
