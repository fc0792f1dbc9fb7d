// Declarations of libsystemd's D-Bus functions, under their names in its manual (sd-bus(3)). Every function returns
// what C returns: on failure minus an errno. Needed only by the systemd driver, so that nothing else loads it.
// Functions with variable arguments are left out: each of them has a counterpart for one value.
import type { KoffiFunc, LibraryHandle } from "koffi";
import { lazy, loadKoffi } from "./koffi.ts";

/** The ABI since systemd 209; Debian's package libsystemd0. */
const NAME = "libsystemd.so.0";

/** `sd_bus *`, `sd_bus_message *`. */
export type Pointer = bigint;
/** A pointer that the function sets. */
export type Out<T> = [T | null];

export interface Libsystemd {
  readonly sd_bus_new: KoffiFunc<(bus: Out<Pointer>) => number>;
  readonly sd_bus_set_address: KoffiFunc<(bus: Pointer, address: string) => number>;
  readonly sd_bus_set_bus_client: KoffiFunc<(bus: Pointer, isClient: number) => number>;
  readonly sd_bus_start: KoffiFunc<(bus: Pointer) => number>;
  readonly sd_bus_close: KoffiFunc<(bus: Pointer) => void>;
  readonly sd_bus_unref: KoffiFunc<(bus: Pointer) => null>;
  /** `error`: struct sd_bus_error, 24 bytes. */
  readonly sd_bus_call: KoffiFunc<
    (bus: Pointer, message: Pointer, usec: number, error: Uint8Array, reply: Out<Pointer>) => number
  >;
  /** Gives a message that nothing else has taken, such as a signal. */
  readonly sd_bus_process: KoffiFunc<(bus: Pointer, message: Out<Pointer>) => number>;
  readonly sd_bus_wait: KoffiFunc<(bus: Pointer, usec: number) => number>;
  readonly sd_bus_error_free: KoffiFunc<(error: Uint8Array) => void>;
  readonly sd_bus_message_new_method_call: KoffiFunc<
    (
      bus: Pointer,
      message: Out<Pointer>,
      destination: string,
      path: string,
      iface: string,
      member: string,
    ) => number
  >;
  readonly sd_bus_message_unref: KoffiFunc<(message: Pointer) => null>;
  /** `type` is the number of an ASCII letter. `value`: the number's memory, in the machine's byte order. */
  readonly sd_bus_message_append_basic: KoffiFunc<
    (message: Pointer, type: number, value: Uint8Array) => number
  >;
  /** The same function, for the types `s`, `o` and `g`. */
  readonly sd_bus_message_append_string: KoffiFunc<(message: Pointer, type: number, value: string) => number>;
  readonly sd_bus_message_append_array: KoffiFunc<
    (message: Pointer, type: number, memory: Uint8Array, size: number) => number
  >;
  readonly sd_bus_message_open_container: KoffiFunc<
    (message: Pointer, type: number, contents: string) => number
  >;
  readonly sd_bus_message_close_container: KoffiFunc<(message: Pointer) => number>;
  readonly sd_bus_message_enter_container: KoffiFunc<
    (message: Pointer, type: number, contents: string) => number
  >;
  readonly sd_bus_message_read_basic: KoffiFunc<
    (message: Pointer, type: number, value: Uint8Array) => number
  >;
  /** The same function, for the types `s`, `o` and `g`. */
  readonly sd_bus_message_read_string: KoffiFunc<
    (message: Pointer, type: number, value: Out<string>) => number
  >;
  /** 1 if the message is this signal. */
  readonly sd_bus_message_is_signal: KoffiFunc<(message: Pointer, iface: string, member: string) => number>;
  /** Text at an address; null at 0. */
  readonly readString: (address: bigint) => string | null;
}

const bindings = new Map<string, Libsystemd>();

/** Loads libsystemd with the koffi of `installDir`. Throws the dynamic loader's error if it is not installed. */
export function loadLibsystemd(installDir: string): Libsystemd {
  const known = bindings.get(installDir);
  if (known) return known;
  const { koffi } = loadKoffi(installDir);
  const library: LibraryHandle = koffi.load(NAME);
  const bind = <T extends (...args: never[]) => unknown>(definition: string): KoffiFunc<T> =>
    lazy<T>(() => library, definition);
  const libsystemd: Libsystemd = {
    sd_bus_new: bind("int sd_bus_new(_Out_ void **)"),
    sd_bus_set_address: bind("int sd_bus_set_address(void *, const char *)"),
    sd_bus_set_bus_client: bind("int sd_bus_set_bus_client(void *, int)"),
    sd_bus_start: bind("int sd_bus_start(void *)"),
    sd_bus_close: bind("void sd_bus_close(void *)"),
    sd_bus_unref: bind("void *sd_bus_unref(void *)"),
    sd_bus_call: bind("int sd_bus_call(void *, void *, uint64_t, void *, _Out_ void **)"),
    sd_bus_process: bind("int sd_bus_process(void *, _Out_ void **)"),
    sd_bus_wait: bind("int sd_bus_wait(void *, uint64_t)"),
    sd_bus_error_free: bind("void sd_bus_error_free(void *)"),
    sd_bus_message_new_method_call: bind(
      "int sd_bus_message_new_method_call(void *, _Out_ void **, const char *, const char *, const char *, const char *)",
    ),
    sd_bus_message_unref: bind("void *sd_bus_message_unref(void *)"),
    sd_bus_message_append_basic: bind("int sd_bus_message_append_basic(void *, int8_t, const void *)"),
    sd_bus_message_append_string: bind("int sd_bus_message_append_basic(void *, int8_t, const char *)"),
    sd_bus_message_append_array: bind(
      "int sd_bus_message_append_array(void *, int8_t, const void *, size_t)",
    ),
    sd_bus_message_open_container: bind("int sd_bus_message_open_container(void *, int8_t, const char *)"),
    sd_bus_message_close_container: bind("int sd_bus_message_close_container(void *)"),
    sd_bus_message_enter_container: bind("int sd_bus_message_enter_container(void *, int8_t, const char *)"),
    sd_bus_message_read_basic: bind("int sd_bus_message_read_basic(void *, int8_t, void *)"),
    sd_bus_message_read_string: bind("int sd_bus_message_read_basic(void *, int8_t, _Out_ const char **)"),
    sd_bus_message_is_signal: bind("int sd_bus_message_is_signal(void *, const char *, const char *)"),
    readString: (address) => (address === 0n ? null : koffi.decode(address, "char", -1)),
  };
  bindings.set(installDir, libsystemd);
  return libsystemd;
}
