// Declarations of libseccomp's functions, under their names in its manual (section 3). Every function returns what C
// returns: on failure minus an errno. Needed only where a profile is compiled, so that nothing else loads it.
import type { KoffiFunc, LibraryHandle } from "koffi";
import { type Koffi, lazy, loadKoffi } from "./koffi.ts";

/** ABI 2 goes back to libseccomp 2.0; Debian's package libseccomp2. */
const NAME = "libseccomp.so.2";

/** A filter in the making: scmp_filter_ctx. */
export type FilterContext = unknown;

export interface Libseccomp {
  /** `[major, minor, micro]`. */
  readonly version: readonly [number, number, number];
  readonly seccomp_init: KoffiFunc<(defaultAction: number) => FilterContext | null>;
  readonly seccomp_release: KoffiFunc<(context: FilterContext) => void>;
  readonly seccomp_arch_add: KoffiFunc<(context: FilterContext, token: number) => number>;
  readonly seccomp_attr_set: KoffiFunc<(context: FilterContext, attribute: number, value: number) => number>;
  /** `comparisons`: struct scmp_arg_cmp, one after the other. */
  readonly seccomp_rule_add_array: KoffiFunc<
    (
      context: FilterContext,
      action: number,
      number: number,
      count: number,
      comparisons: Uint8Array | null,
    ) => number
  >;
  readonly seccomp_syscall_resolve_name: KoffiFunc<(name: string) => number>;
  readonly seccomp_syscall_resolve_name_arch: KoffiFunc<(token: number, name: string) => number>;
  readonly seccomp_export_bpf: KoffiFunc<(context: FilterContext, fd: number) => number>;
}

const bindings = new Map<string, Libseccomp>();

/** struct scmp_version: three unsigned ints. */
function readVersion(koffi: Koffi, library: LibraryHandle): Libseccomp["version"] {
  const seccomp_version = lazy<() => unknown>(() => library, "const void *seccomp_version(void)");
  const [major = 0, minor = 0, micro = 0] = new Uint32Array(koffi.view(seccomp_version(), 12));
  return [major, minor, micro];
}

/** Loads libseccomp with the koffi of `installDir`. Throws the dynamic loader's error if it is not installed. */
export function loadLibseccomp(installDir: string): Libseccomp {
  const known = bindings.get(installDir);
  if (known) return known;
  const { koffi } = loadKoffi(installDir);
  const library: LibraryHandle = koffi.load(NAME);
  const bind = <T extends (...args: never[]) => unknown>(definition: string): KoffiFunc<T> =>
    lazy<T>(() => library, definition);
  const libseccomp: Libseccomp = {
    version: readVersion(koffi, library),
    seccomp_init: bind("void *seccomp_init(uint32_t)"),
    seccomp_release: bind("void seccomp_release(void *)"),
    seccomp_arch_add: bind("int seccomp_arch_add(void *, uint32_t)"),
    seccomp_attr_set: bind("int seccomp_attr_set(void *, int, uint32_t)"),
    seccomp_rule_add_array: bind("int seccomp_rule_add_array(void *, uint32_t, int, uint, const void *)"),
    seccomp_syscall_resolve_name: bind("int seccomp_syscall_resolve_name(const char *)"),
    seccomp_syscall_resolve_name_arch: bind("int seccomp_syscall_resolve_name_arch(uint32_t, const char *)"),
    seccomp_export_bpf: bind("int seccomp_export_bpf(void *, int)"),
  };
  bindings.set(installDir, libseccomp);
  return libseccomp;
}
