// Copies the content of a directory into the tmpfs that covers it (mount option tmpcopyup).
import { TsruncError } from "../errors.ts";
import type { HostAction } from "../plan/host-action.ts";
import type { Session } from "./session.ts";

/** Throws TsruncError: this release cannot copy yet. */
export function copyUp(_session: Session, _action: HostAction & { do: "copy-up" }): void {
  throw new TsruncError("not supported yet: mount option tmpcopyup");
}
