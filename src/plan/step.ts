// A plan is a list of steps in the order in which they are done. A step of the init lane is one system call that
// init makes; a step of the host lane is something that tsrunc's own process does between two batches of init's.
import type { ErrnoName } from "../linux/errno.ts";
import type { SyscallName } from "../linux/syscalls.ts";
import type { HostAction } from "./host-action.ts";

/** Why a step is there: the config path (or flag) that asked for it, and what is meant, in a user's words. */
export interface Source {
  readonly path: string;
  readonly intent: string;
}

/** The result of an earlier step of the init lane, usable as an argument of later ones. */
export interface Result {
  readonly kind: "result";
  /** Index of the step in the plan. */
  readonly step: number;
  /** How the printer calls it, for example `rootfs`; by its step's number without. */
  readonly name: string | undefined;
}

/**
 * Memory in init that a call writes to; sent back to the host at the end of each batch that names it, and sent along
 * with the next one that does.
 */
export interface OutBuffer {
  readonly kind: "buffer";
  readonly name: string;
  readonly size: number;
}

/** A number, perhaps with how it is printed: as a text, by the constants or'ed together, or by the names of its bits. */
export interface NumberArg {
  readonly kind: "number";
  readonly value: number | bigint;
  readonly text?: string;
  readonly names?: readonly string[];
  readonly bits?: Readonly<Record<string, number>>;
}

/** Flags of open(2): the only constants here whose values differ between x86_64 and aarch64. */
export interface OpenFlagsArg {
  readonly kind: "open-flags";
  readonly names: readonly OpenFlag[];
}

export type OpenFlag =
  | "O_RDONLY"
  | "O_WRONLY"
  | "O_RDWR"
  | "O_CREAT"
  | "O_EXCL"
  | "O_NOCTTY"
  | "O_TRUNC"
  | "O_NONBLOCK"
  | "O_DIRECTORY"
  | "O_NOFOLLOW"
  | "O_CLOEXEC"
  | "O_PATH";

/** One member of a structure: its width in bytes, and a value or something that the value points at. */
export interface Field {
  readonly name: string;
  readonly width: 1 | 2 | 4 | 8;
  readonly value: number | bigint | NumberArg | Result | OpenFlagsArg | Pointee;
}

/** Arguments that are passed by address. */
export type Pointee =
  | { readonly kind: "string"; readonly value: string }
  | { readonly kind: "bytes"; readonly value: Uint8Array; readonly text: string }
  | { readonly kind: "strings"; readonly values: readonly string[] }
  | {
      readonly kind: "struct";
      readonly fields: readonly Field[];
      /** A field is the result of another step. */
      readonly takesResults: boolean;
    }
  | OutBuffer;

/** A value that an earlier call left in an out buffer (`width` 4: a signed int). */
export interface LoadArg {
  readonly kind: "load";
  readonly buffer: OutBuffer;
  readonly offset: number;
  readonly width: 4 | 8;
  readonly name: string;
}

/** One argument of a call that is made once for each bit of a mask, with the number of that bit. */
export interface EachBitArg {
  readonly kind: "each-bit";
  readonly mask: bigint;
  /** How the bits are called, from the lowest. */
  readonly names: readonly string[];
}

/** A plain string is passed by address, ended by NUL. */
export type Arg =
  | number
  | bigint
  | string
  | NumberArg
  | OpenFlagsArg
  | EachBitArg
  | Result
  | LoadArg
  | Pointee;

export type InitCall = SyscallName | "check" | "fork" | "serve";

export interface InitStep {
  readonly lane: "init";
  readonly call: InitCall;
  readonly args: readonly Arg[];
  readonly source: Source;
  /** Name of the result for the printer and for later steps. */
  readonly name?: string;
  /** At most four errors after which the plan goes on. */
  readonly tolerate: readonly ErrnoName[];
  /** Bit k: argument k is a descriptor, which init closes once the call is done. */
  closes?: number;
  /** Index in the plan of the next step after success; the following one if absent. Never backward. */
  nextOnSuccess?: number;
  /** Index in the plan of the next step after a tolerated error; the following one if absent. */
  nextOnError?: number;
  /** After this error the host does something, and the call is made once more. */
  retry?: { readonly after: ErrnoName; readonly action: HostAction };
  /** The error text, where callers match a phrase; otherwise it is made from the source and the call. */
  readonly failure?: string;
  /** `failure` is followed by the errno's text. */
  readonly failureWithErrno?: boolean;
  /** What an errno means here, where its text misleads. */
  readonly hint?: { readonly errno: ErrnoName; readonly text: string };
}

export interface HostStep {
  readonly lane: "host";
  readonly action: HostAction;
  readonly source: Source;
}

export type Step = InitStep | HostStep;

export interface Plan {
  readonly steps: readonly Step[];
}
