// What the command `list` shows.
import { readFileSync } from "node:fs";
import type { Context } from "../context.ts";
import { messageOf, TsruncError } from "../errors.ts";
import { type ContainerState, describeState } from "./state.ts";
import { computeStatus } from "./status.ts";
import { listIds, readRecord } from "./store.ts";

/** The part of a context that `list` needs. */
type Lister = Pick<Context, "root">;

export interface Listing {
  readonly states: readonly ContainerState[];
  /** One message for each entry that could not be read. */
  readonly problems: readonly string[];
}

/** States of all containers, by id. A root that does not exist is an error only where `mustExist` is set. */
export function listContainers(ctx: Lister, mustExist: boolean): Listing {
  const states: ContainerState[] = [];
  const problems: string[] = [];
  const names = new Map<number, string>();
  for (const id of findIds(ctx, mustExist)) {
    try {
      const record = readRecord(ctx, id);
      states.push(describeState(record, computeStatus(ctx, record), findUserName(record.owner, names)));
    } catch (error) {
      problems.push(`load container ${id}: ${messageOf(error)}`);
    }
  }
  return { states, problems };
}

function findIds(ctx: Lister, mustExist: boolean): readonly string[] {
  const ids = listIds(ctx);
  if (ids === undefined && mustExist) throw new TsruncError(`open ${ctx.root}: no such file or directory`);
  return ids ?? [];
}

/** The user's name in /etc/passwd, or `#UID` for a user without one. */
function findUserName(uid: number, names: Map<number, string>): string {
  if (names.size === 0) {
    for (const line of readPasswd().split("\n")) {
      const [name, , number] = line.split(":");
      if (name && number && !names.has(Number(number))) names.set(Number(number), name);
    }
  }
  return names.get(uid) ?? `#${uid}`;
}

function readPasswd(): string {
  try {
    return readFileSync("/etc/passwd", "utf8");
  } catch {
    return ""; // a host without it has no names
  }
}

const HEADER = ["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"] as const;
const MIN_WIDTH = 12;
const PADDING = 3;

/** The table of `list`, every line with its newline. */
export function formatTable(states: readonly ContainerState[]): string {
  const rows = [
    HEADER,
    ...states.map((s) => [s.id, String(s.pid), s.status, s.bundle, s.created, s.owner] as const),
  ];
  const widths = HEADER.map((_, column) =>
    Math.max(MIN_WIDTH, ...rows.map((row) => (row[column] ?? "").length + PADDING)),
  );
  const formatRow = (row: readonly string[]): string =>
    row.map((cell, column) => (column < row.length - 1 ? cell.padEnd(widths[column] ?? 0) : cell)).join("");
  return rows.map((row) => `${formatRow(row)}\n`).join("");
}

/** The output of `list --format json`: one line; `null` for no container, as Go prints an empty list. */
export function formatJson(states: readonly ContainerState[]): string {
  return states.length === 0 ? "null" : JSON.stringify(states);
}
