// A connection to D-Bus by libsystemd, for calls that wait for their answer. sd-bus(3).
import { type Libsystemd, loadLibsystemd, type Out, type Pointer } from "../../native-bindings/libsystemd.ts";
import { type BusValue, splitSignature, type Variant } from "../cgroup/gvariant.ts";
import type { Context } from "../context.ts";
import { SyscallError, TsruncError } from "../errors.ts";

/** How long a peer may take to answer, in microseconds. */
const CALL_USEC = 25_000_000;
/** sizeof(sd_bus_error). */
const ERROR_SIZE = 24;

/** The peer's answer is an error: its D-Bus name and its text. */
export class BusError extends TsruncError {
  readonly busName: string;
  constructor(call: string, busName: string, message: string) {
    super(`${call}: ${message || busName}`);
    this.busName = busName;
  }
}

export interface Bus {
  readonly library: Libsystemd;
  readonly pointer: Pointer;
}

/** A method of an object, and its arguments. */
export interface Call {
  readonly destination: string;
  readonly path: string;
  readonly iface: string;
  readonly member: string;
  readonly signature: string;
  readonly values: readonly BusValue[];
}

/**
 * Connects to a bus by its address. `isPeer`: there is no bus, but a program itself. Throws SyscallError; TsruncError
 * where libsystemd is not installed.
 */
export function openBus(ctx: Context, address: string, isPeer = false): Bus {
  const library = load(ctx);
  const out: Out<Pointer> = [null];
  check(library.sd_bus_new(out), "sd_bus_new()");
  const pointer = out[0] as Pointer;
  try {
    check(library.sd_bus_set_address(pointer, address), `sd_bus_set_address(${JSON.stringify(address)})`);
    if (!isPeer) check(library.sd_bus_set_bus_client(pointer, 1), "sd_bus_set_bus_client(1)");
    check(library.sd_bus_start(pointer), `sd_bus_start(${JSON.stringify(address)})`);
  } catch (error) {
    closeBus({ library, pointer });
    throw error;
  }
  return { library, pointer };
}

function load(ctx: Context): Libsystemd {
  try {
    return loadLibsystemd(ctx.installDir);
  } catch (error) {
    throw new TsruncError(`the systemd driver needs libsystemd: ${(error as Error).message}`);
  }
}

export function closeBus({ library, pointer }: Bus): void {
  library.sd_bus_close(pointer);
  library.sd_bus_unref(pointer);
}

function check(result: number, call: string): number {
  if (result >= 0) return result;
  throw new SyscallError("D-Bus", call, -result);
}

/**
 * Calls a method and reads its answer: the first argument, which must be a text (`answer` is its type, or `v` for a
 * text in a variant), or nothing. Throws BusError, SyscallError.
 */
export function callBus(bus: Bus, call: Call, answer?: "s" | "o" | "v"): string {
  const { library, pointer } = bus;
  const { destination, path, iface, member } = call;
  const message: Out<Pointer> = [null];
  check(
    library.sd_bus_message_new_method_call(pointer, message, destination, path, iface, member),
    `sd_bus_message_new_method_call(${member})`,
  );
  const reply: Out<Pointer> = [null];
  const error = new Uint8Array(ERROR_SIZE);
  try {
    const types = splitSignature(call.signature);
    for (const [i, type] of types.entries())
      append(library, message[0] as Pointer, type, call.values[i] as BusValue);
    const result = library.sd_bus_call(pointer, message[0] as Pointer, CALL_USEC, error, reply);
    if (result < 0) throw describeError(library, member, error, result);
    return answer === undefined ? "" : readAnswer(library, reply[0] as Pointer, answer);
  } finally {
    library.sd_bus_error_free(error);
    for (const [one] of [message, reply]) if (one) library.sd_bus_message_unref(one);
  }
}

function describeError(library: Libsystemd, member: string, error: Uint8Array, result: number): TsruncError {
  const view = new DataView(error.buffer);
  const name = library.readString(view.getBigUint64(0, true));
  if (name === null) return new SyscallError("D-Bus", member, -result);
  return new BusError(member, name, library.readString(view.getBigUint64(8, true)) ?? "");
}

function readAnswer(library: Libsystemd, reply: Pointer, answer: "s" | "o" | "v"): string {
  if (answer === "v")
    check(
      library.sd_bus_message_enter_container(reply, letter("v"), "s"),
      "sd_bus_message_enter_container()",
    );
  return readText(library, reply, answer === "v" ? "s" : answer);
}

/** Reads the next argument of a message, a text. Throws SyscallError. */
export function readText(library: Libsystemd, message: Pointer, type: "s" | "o"): string {
  const out: Out<string> = [null];
  check(library.sd_bus_message_read_string(message, letter(type), out), "sd_bus_message_read_basic()");
  return out[0] ?? "";
}

/** Reads the next argument of a message, a 32-bit number. Throws SyscallError. */
export function readUint32(library: Libsystemd, message: Pointer): number {
  const value = new Uint8Array(4);
  check(library.sd_bus_message_read_basic(message, letter("u"), value), "sd_bus_message_read_basic()");
  return new DataView(value.buffer).getUint32(0, true);
}

function letter(type: string): number {
  return type.charCodeAt(0);
}

/** Bytes of a number, by its type; a boolean is an int to sd-bus. */
function encodeNumber(type: string, value: BusValue): Uint8Array {
  const bytes = new Uint8Array(8);
  const view = new DataView(bytes.buffer);
  if (type === "d") view.setFloat64(0, Number(value), true);
  else view.setBigInt64(0, BigInt.asIntN(64, BigInt(value as number | bigint | boolean)), true);
  return bytes;
}

/** Adds a value of a complete type to a message. */
function append(library: Libsystemd, message: Pointer, type: string, value: BusValue): void {
  const first = type[0] ?? "";
  if ("sog".includes(first)) {
    const text = value as string;
    check(
      library.sd_bus_message_append_string(message, letter(first), text),
      `append ${JSON.stringify(text)}`,
    );
  } else if (first === "a" && value instanceof Uint8Array) {
    check(library.sd_bus_message_append_array(message, letter("y"), value, value.length), "append bytes");
  } else if (first === "a") {
    const element = type.slice(1);
    const values = value as readonly BusValue[];
    within(library, message, "a", element, () => {
      for (const item of values) append(library, message, element, item);
    });
  } else if (first === "v") {
    const variant = value as Variant;
    within(library, message, "v", variant.signature, () =>
      append(library, message, variant.signature, variant.value),
    );
  } else if (first === "(") {
    const members = splitSignature(type.slice(1, -1));
    within(library, message, "r", type.slice(1, -1), () => {
      for (const [i, member] of members.entries())
        append(library, message, member, (value as readonly BusValue[])[i] as BusValue);
    });
  } else {
    const bytes = encodeNumber(first, value);
    check(library.sd_bus_message_append_basic(message, letter(first), bytes), `append ${String(value)}`);
  }
}

function within(
  library: Libsystemd,
  message: Pointer,
  type: string,
  contents: string,
  fill: () => void,
): void {
  check(library.sd_bus_message_open_container(message, letter(type), contents), `open ${type}${contents}`);
  fill();
  check(library.sd_bus_message_close_container(message), `close ${type}${contents}`);
}
