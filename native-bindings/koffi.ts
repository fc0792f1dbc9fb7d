// Loads koffi's addon from the install folder. The package's own loader looks the addon up with require() along
// node_modules, which a single executable must not do.
import { join } from "node:path";
import type { KoffiFunc, LibraryHandle } from "koffi";

/** The part of koffi's interface that tsrunc uses. */
export interface Koffi {
  load(path: string | null): LibraryHandle;
  errno(): number;
  address(value: Uint8Array): bigint;
  /** The memory that a pointer points to, as it is. */
  view(pointer: unknown, length: number): ArrayBuffer;
  /** With type `char` and length -1: the text at an address, up to its NUL. */
  decode(address: bigint, type: "char", length: -1): string;
}

interface Loaded {
  readonly koffi: Koffi;
  readonly libraries: Map<string | null, LibraryHandle>;
}

const loaded = new Map<string, Loaded>();

/** Loads `koffi.node` from a folder, once per folder. Throws the loader's error if it is not there. */
export function loadKoffi(installDir: string): Loaded {
  const known = loaded.get(installDir);
  if (known) return known;
  const module = { exports: {} as Koffi };
  process.dlopen(module, join(installDir, "koffi.node"));
  const entry = { koffi: module.exports, libraries: new Map() };
  loaded.set(installDir, entry);
  return entry;
}

/** Declares a C function on its first call: a declaration costs as much as ten calls. */
export function lazy<T extends (...args: never[]) => unknown>(
  library: () => LibraryHandle,
  definition: string,
): KoffiFunc<T> {
  let bound: KoffiFunc<T> | undefined;
  const bind = (): KoffiFunc<T> => {
    bound ??= library().func(definition) as unknown as KoffiFunc<T>;
    return bound;
  };
  const call = ((...args: Parameters<T>) => bind()(...args)) as unknown as KoffiFunc<T>;
  call.async = (...args) => bind().async(...args);
  return call;
}
