// Host actions that are done by init, inside of the container, in batches that depend on what it finds there.
import type { HostAction } from "../plan/host-action.ts";
import type { Source } from "../plan/step.ts";
import { copyUp } from "./copy-up.ts";
import { makePath } from "./make-path.ts";
import type { Session } from "./session.ts";

/** `source` tells who asked for it. Throws SyscallError, TsruncError. */
export function performInside(
  session: Session,
  action: Extract<HostAction, { do: "copy-up" | "make-path" }>,
  source: Source,
): void {
  if (action.do === "copy-up") copyUp(session, action, source);
  else makePath(session, action, source);
}
