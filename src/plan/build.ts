// Builds plans. Compile functions get a builder and append steps to it; nothing is done until a plan is run.
import type { ErrnoName } from "../linux/errno.ts";
import type { HostAction } from "./host-action.ts";
import type {
  Arg,
  Field,
  InitCall,
  InitStep,
  LoadArg,
  NumberArg,
  OpenFlag,
  OpenFlagsArg,
  OutBuffer,
  Plan,
  Pointee,
  Result,
  Source,
  Step,
} from "./step.ts";

export interface StepOptions {
  /** Name of the result. */
  readonly name?: string;
  readonly tolerate?: readonly ErrnoName[];
  /** Steps that are done only after a tolerated error. */
  readonly onError?: () => void;
  /** Steps that are done only after success. */
  readonly onSuccess?: (result: Result) => void;
  readonly failure?: string;
  readonly failureWithErrno?: boolean;
  readonly hint?: InitStep["hint"] | undefined;
  readonly retry?: InitStep["retry"];
  /** Where to go on after success. */
  readonly goTo?: Label;
}

/** A place further down in a plan that several steps go to. */
export interface Label {
  readonly steps: InitStep[];
}

/** The number 0 where a call takes an address. */
export const NULL: NumberArg = { kind: "number", value: 0, text: "NULL" };
/** The working directory where a call takes a directory's descriptor. */
export const AT_FDCWD: NumberArg = { kind: "number", value: -100, text: "AT_FDCWD" };

/** Constants or'ed together, printed by name: `flags({ MS_REC: 16384 }, "MS_REC")`. */
export function flags<T extends Readonly<Record<string, number>>>(
  group: T,
  ...names: readonly (keyof T & string)[]
): NumberArg {
  let value = 0;
  for (const name of names) value += group[name] as number;
  return { kind: "number", value, names };
}

/** A bit mask, printed by the names of its bits. */
export function nameBits(bits: Readonly<Record<string, number>>, value: number): NumberArg {
  return { kind: "number", value, bits };
}

export function openFlags(...names: readonly OpenFlag[]): OpenFlagsArg {
  return { kind: "open-flags", names };
}

export function struct(...fields: readonly Field[]): Pointee {
  return { kind: "struct", fields, takesResults: fields.some(takesResult) };
}

function takesResult({ value }: Field): boolean {
  if (typeof value !== "object") return false;
  return value.kind === "result" || (value.kind === "struct" && value.takesResults);
}

export function u32(name: string, value: Field["value"]): Field {
  return { name, width: 4, value };
}

export function u64(name: string, value: Field["value"]): Field {
  return { name, width: 8, value };
}

/** struct open_how of openat2(2). */
export function openHow(flagsArg: OpenFlagsArg, resolve: bigint | number | NumberArg, mode = 0): Pointee {
  return struct(u64("flags", flagsArg), u64("mode", mode), u64("resolve", resolve));
}

export function load(buffer: OutBuffer, offset: number, width: 4 | 8, name: string): LoadArg {
  return { kind: "load", buffer, offset, width, name };
}

const NO_OPTIONS: StepOptions = {};

type Writable<T> = { -readonly [K in keyof T]: T[K] };

export class PlanBuilder {
  readonly #steps: Step[] = [];
  #source: Source = { path: "", intent: "" };
  #buffers = 0;
  /** Index of a step that something jumps to or that not everything before it leads to. */
  #seam = 0;

  /** Steps added inside `body` are told to come from a config path, with an intent in a user's words. */
  at<T>(path: string, intent: string, body: () => T): T {
    const outer = this.#source;
    this.#source = { path, intent };
    try {
      return body();
    } finally {
      this.#source = outer;
    }
  }

  /** Adds a system call of init's (or one of its operations); gives its result. */
  call(call: InitCall, args: readonly Arg[], options: StepOptions = NO_OPTIONS): Result {
    const index = this.#steps.length;
    if (call === "close" && options === NO_OPTIONS && this.#joinClose(args[0]))
      return { kind: "result", step: index - 1, name: "closed" };
    const step: Writable<InitStep> = {
      lane: "init",
      call,
      args,
      source: this.#source,
      tolerate: options.tolerate ?? [],
    };
    if (options.name !== undefined) step.name = options.name;
    if (options.failure !== undefined) step.failure = options.failure;
    if (options.failureWithErrno) step.failureWithErrno = true;
    if (options.hint) step.hint = options.hint;
    if (options.retry) step.retry = options.retry;
    const result: Result = { kind: "result", step: index, name: options.name };
    this.#steps.push(step);
    if (options.goTo || options.onSuccess || options.onError) this.#seam = this.#steps.length;
    options.goTo?.steps.push(step);
    if (options.onSuccess) {
      options.onSuccess(result);
      if (options.onError) {
        // Success goes on after the steps for an error: a check that cannot fail is the way to jump there.
        const jump = this.#addJump();
        step.nextOnError = this.#steps.length;
        options.onError();
        jump.nextOnSuccess = this.#steps.length;
      } else {
        step.nextOnError = this.#steps.length;
      }
      this.#seam = this.#steps.length;
    } else if (options.onError) {
      options.onError();
      step.nextOnSuccess = this.#steps.length;
      this.#seam = this.#steps.length;
    }
    return result;
  }

  /** A descriptor that the step before has used is closed by that step: a fifth fewer steps in a container's plan. */
  #joinClose(fd: Arg | undefined): boolean {
    const last = this.#steps.at(-1);
    if (this.#seam === this.#steps.length || last?.lane !== "init" || last.source !== this.#source)
      return false;
    if (last.call === "check" || last.call === "fork" || last.call === "serve") return false;
    const k = typeof fd === "object" && fd.kind === "result" ? last.args.indexOf(fd) : -1;
    if (k < 0) return false;
    last.closes = (last.closes ?? 0) | (1 << k);
    return true;
  }

  #addJump(): InitStep {
    const step: InitStep = {
      lane: "init",
      call: "check",
      args: [0, 0, 0, 0],
      source: this.#source,
      tolerate: [],
    };
    this.#steps.push(step);
    this.#seam = this.#steps.length;
    return step;
  }

  /** Fails with `errno` unless `(value & mask) == wanted`. */
  check(
    value: Arg,
    mask: number | bigint,
    wanted: number | bigint,
    errno: number,
    options: StepOptions = {},
  ): Result {
    return this.call("check", [value, mask, wanted, errno], options);
  }

  /** Puts a label in front of the next step. */
  place(label: Label): void {
    for (const step of label.steps) step.nextOnSuccess = this.#steps.length;
    this.#seam = this.#steps.length;
  }

  /** Adds a step of the host lane. */
  host(action: HostAction): void {
    this.#steps.push({ lane: "host", action, source: this.#source });
  }

  buffer(size: number, name = `b${this.#buffers}`): OutBuffer {
    this.#buffers++;
    return { kind: "buffer", name, size };
  }

  /** Index that the next step will have. */
  get length(): number {
    return this.#steps.length;
  }

  /** The plan so far; what is added later does not change its steps. */
  build(): Plan {
    this.#seam = this.#steps.length;
    return { steps: this.#steps };
  }
}
