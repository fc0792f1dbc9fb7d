// The kernel's own words for an error of fsopen(2)'s family.
import { decodeReportHeader, REPORT_SIZE } from "../plan/report.ts";
import type { InitStep, OutBuffer } from "../plan/step.ts";
import { encodeBatch } from "../plan/wire.ts";
import { receive, sendAll } from "./init-socket.ts";
import type { Session } from "./session.ts";

/** What the kernel says of a file system's configuration that it refused: the text behind an EINVAL (fsopen(2)). */
export function readKernelMessage(session: Session, step: InitStep): string | undefined {
  const context = step.args[0];
  if (
    (step.call !== "fsconfig" && step.call !== "fsmount") ||
    typeof context !== "object" ||
    context.kind !== "result"
  )
    return undefined;
  if (!session.results.has(context.step)) return undefined;
  const buffer: OutBuffer = { kind: "buffer", name: "message", size: 512 };
  const read: InitStep = {
    lane: "init",
    call: "read",
    args: [context, buffer, buffer.size],
    source: step.source,
    tolerate: ["ENODATA"],
  };
  const index = Number.MAX_SAFE_INTEGER - 1;
  sendAll(
    session,
    encodeBatch([read], index, (known) => session.results.get(known) ?? 0n, session.arch).bytes,
  );
  const header = decodeReportHeader(receive(session, REPORT_SIZE));
  const rest = receive(session, 8 * header.resultCount + header.outLength);
  if (header.type !== "done") return undefined;
  const length = Number(new DataView(rest.buffer).getBigInt64(0, true));
  if (length <= 0) return undefined;
  return new TextDecoder()
    .decode(rest.subarray(8, 8 + length))
    .replace(/^[eiw] /, "")
    .trim();
}
