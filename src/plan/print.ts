// Prints steps the way strace prints calls, and words the errors of failed ones.
import { SyscallError, TsruncError } from "../errors.ts";
import { errnoNumber, errnoText } from "../linux/errno.ts";
import type { HostAction } from "./host-action.ts";
import type { Arg, Field, HostStep, InitStep, NumberArg, Plan, Source, Step } from "./step.ts";

/** Longest string that an error shows whole, in characters: an argument may be a megabyte of hostile text. */
const LONGEST = 256;

/** `openat2(rootfs, "dev", {flags=O_PATH|O_CLOEXEC, …})`, without the result. */
export function printCall(step: InitStep): string {
  return `${step.call}(${step.args.map(printArg).join(", ")})`;
}

function printArg(arg: Arg | Field["value"]): string {
  if (typeof arg === "number" || typeof arg === "bigint") return String(arg);
  if (typeof arg === "string") return quote(arg);
  switch (arg.kind) {
    case "number":
      return printNumber(arg);
    case "open-flags":
      return arg.names.join("|") || "O_RDONLY";
    case "each-bit":
      return `each of ${arg.names.join("|")}`;
    case "result":
      return arg.name ?? `r${arg.step}`;
    case "load":
      return arg.name;
    case "string":
      return quote(arg.value);
    case "strings":
      return `[${arg.values.map(quote).join(", ")}]`;
    case "bytes":
      return arg.text;
    case "buffer":
      return `&${arg.name}`;
    case "struct":
      return `{${arg.fields.filter(isTold).map(printField).join(", ")}}`;
  }
}

function printNumber({ value, text, names, bits }: NumberArg): string {
  if (text !== undefined) return text;
  if (names) return names.join("|") || "0";
  return bits ? printBits(bits, Number(value)) : String(value);
}

function printBits(table: Readonly<Record<string, number>>, value: number): string {
  const names: string[] = [];
  let rest = value;
  for (const [name, bits] of Object.entries(table)) {
    if (bits === 0 || (rest & bits) !== bits) continue;
    names.push(name);
    rest &= ~bits;
  }
  if (rest !== 0) names.push(`0x${rest.toString(16)}`);
  return names.join("|") || "0";
}

function isTold(field: Field): boolean {
  return field.name !== "" && field.value !== 0 && field.value !== 0n;
}

function printField(field: Field): string {
  return `${field.name}=${printArg(field.value)}`;
}

function quote(value: string): string {
  if (value.length <= LONGEST) return JSON.stringify(value);
  return `${JSON.stringify(value.slice(0, LONGEST))}...`;
}

/** What a step of the host lane does, in one line. */
export function printAction(action: HostAction): string {
  switch (action.do) {
    case "write-proc":
      return `write("/proc/[${action.of}]/${action.file}", ${quote(action.value)})`;
    case "map-ids": {
      const list = (mappings: typeof action.uid): string =>
        mappings.map((m) => `${m.containerID} ${m.hostID} ${m.size}`).join(", ");
      const groups = action.deniesGroups ? "; setgroups deny" : "";
      return `map ids of [launcher], with newuidmap(1) if need be: uids ${list(action.uid)}; gids ${list(action.gid)}${groups}`;
    }
    case "record-process":
      return "write(state.json, pid and start time of [container])";
    case "join-resctrl":
      return "write(resctrl group's tasks, pid of [container])";
    case "write-late-limits":
      return "write the cgroup limits that init itself would meet";
    case "run-hooks":
      return `run ${action.kind} hooks in the ${action.inContainer ? "container" : "runtime"} namespace`;
    case "raise-rlimits":
      return `prlimit64([container], ${action.limits.map((limit) => limit.name).join(", ")})`;
    case "move-net-devices": {
      const names = action.devices.map(({ name, newName }) =>
        name === newName ? name : `${name} as ${newName}`,
      );
      return `move network devices, with their addresses: ${names.join(", ")}`;
    }
    case "copy-up":
      return "copy the directory's content into the tmpfs";
    case "make-path":
      return `make the ${action.kind} that ${quote(action.unsafePath)} leads to`;
  }
}

/** The whole plan as text: `LANE  CALL = NAME  # config path: intent`, in order of execution. */
export function printPlan(plan: Plan): string {
  const targets = new Map<number, number>();
  for (const step of plan.steps) {
    if (step.lane !== "init") continue;
    for (const next of [step.nextOnSuccess, step.nextOnError])
      if (next !== undefined && !targets.has(next)) targets.set(next, targets.size + 1);
  }
  const lines = plan.steps.map((step, i) => {
    const label = targets.get(i);
    return `${label === undefined ? "" : `label ${label}:\n`}${printStep(step, targets)}`;
  });
  const last = targets.get(plan.steps.length);
  return `${lines.join("\n")}\n${last === undefined ? "" : `label ${last}:\n`}`;
}

function printStep(step: Step, targets: ReadonlyMap<number, number>): string {
  const source = printSource(step);
  if (step.lane === "host") return `host  ${printAction(step.action)}${source}`;
  const name = step.name === undefined ? "" : ` = ${step.name}`;
  const tolerated = step.tolerate.length === 0 ? "" : ` ?${step.tolerate.join("|")}`;
  const onSuccess = step.nextOnSuccess === undefined ? "" : ` then→${targets.get(step.nextOnSuccess)}`;
  const onError = step.nextOnError === undefined ? "" : ` else→${targets.get(step.nextOnError)}`;
  const retry = step.retry && ` again after ${step.retry.after}: ${printAction(step.retry.action)}`;
  const closes = step.args.filter((_, k) => ((step.closes ?? 0) >> k) & 1);
  return [
    `init  ${printCall(step)}${name}${tolerated}${onSuccess}${onError}${retry ?? ""}${source}`,
    ...closes.map((fd) => `init  close(${printArg(fd)})${source}`),
  ].join("\n");
}

/** Why a step is there, as errors begin. */
export function tellSource({ path, intent }: Source): string {
  return [path, intent].filter((part) => part !== "").join(": ");
}

function printSource(step: HostStep | InitStep): string {
  const text = tellSource(step.source);
  return text === "" ? "" : `  # ${text}`;
}

/** The error of a step that init reported as failed. `detail`: what the kernel said beyond the errno. */
export function stepError(step: InitStep, errno: number, detail?: string): TsruncError {
  if (step.failure !== undefined)
    return new TsruncError(step.failureWithErrno ? `${step.failure}: ${errnoText(errno)}` : step.failure);
  const hint = step.hint && errnoNumber(step.hint.errno) === errno ? step.hint.text : undefined;
  return new SyscallError(tellSource(step.source), printCall(step), errno, detail ?? hint);
}

/** For each step of init's in a batch: the text of its error, and whether an errno's text follows. */
export function describeSteps(
  steps: readonly InitStep[],
  planIndex: readonly number[],
): readonly (readonly [string, boolean])[] {
  return planIndex.map((index) => {
    const step = steps[index] as InitStep;
    if (step.failure !== undefined) return [step.failure, step.failureWithErrno === true];
    const source = tellSource(step.source);
    return [source === "" ? printCall(step) : `${source}: ${printCall(step)}`, true];
  });
}
