// `exec --user`.
import type { ExecUser } from "../container/options.ts";
import { UsageError } from "../errors.ts";

/** The largest id: 2^32 - 1 means "no change" to the kernel. */
const MAX_ID = 4294967294;

/** Parses `UID[:GID]`; the group stays the container's unless given, as with runc. Throws UsageError. */
export function parseUser(text: string): ExecUser {
  const [uid = "", gid, ...rest] = text.split(":");
  if (rest.length > 0) throw new UsageError(`invalid user ${JSON.stringify(text)}: want UID[:GID]`);
  const user = { uid: parseId(uid, "user") };
  return gid === undefined ? user : { ...user, gid: parseId(gid, "group") };
}

/** Parses a decimal id, and nothing else that JavaScript takes for a number. Throws UsageError. */
export function parseId(text: string, what: string): number {
  const id = /^[0-9]{1,10}$/.test(text) ? Number(text) : Number.POSITIVE_INFINITY;
  if (id <= MAX_ID) return id;
  throw new UsageError(`invalid ${what} id ${JSON.stringify(text)}: want a number up to ${MAX_ID}`);
}
