// The state of a container as the command `state` prints it and as hooks get it on their stdin.
import type { Context } from "../context.ts";
import { SPEC_VERSION, type Status } from "../spec/state.ts";
import type { ContainerRecord } from "./record.ts";
import { computeStatus } from "./status.ts";
import { readRecord } from "./store.ts";

/** "State" of runtime.md, with runc's additions `rootfs`, `created` and `owner`. Members in the order of output. */
export interface ContainerState {
  readonly ociVersion: string;
  readonly id: string;
  /** In the runtime's pid namespace; 0 for a container that is stopped. */
  readonly pid: number;
  readonly status: Status;
  readonly bundle: string;
  readonly rootfs: string;
  /** RFC 3339, UTC. */
  readonly created: string;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly owner: string;
}

/** The state of a container whose status is known. `owner` is a user's name, or empty. */
export function describeState(record: ContainerRecord, status: Status, owner = ""): ContainerState {
  const { id, bundle, rootfs, created, annotations } = record;
  const pid = status === "stopped" ? 0 : record.pid;
  const state = {
    ociVersion: SPEC_VERSION,
    id,
    pid,
    status,
    bundle,
    rootfs,
    created: trimTimestamp(created),
  };
  return Object.keys(annotations).length === 0 ? { ...state, owner } : { ...state, annotations, owner };
}

/** The output of `state`: JSON with two spaces, without a final newline. */
export function formatContainerState(ctx: Pick<Context, "root">, id: string): string {
  const record = readRecord(ctx, id);
  return JSON.stringify(describeState(record, computeStatus(ctx, record)), null, 2);
}

/** Go's RFC3339Nano drops the zeros at the end of the fraction: callers compare what they got. */
function trimTimestamp(time: string): string {
  return time.replace(/\.?0*Z$/, "Z");
}
