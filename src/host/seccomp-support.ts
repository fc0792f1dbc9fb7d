// What `features` tells about seccomp.
import { loadLibc } from "../../native-bindings/libc.ts";
import type { Context } from "../context.ts";
import { TsruncError } from "../errors.ts";
import { SECCOMP_FILTER_FLAG, SECCOMP_SET_MODE_FILTER } from "../linux/seccomp.ts";
import type { SeccompFeatures } from "../spec/features.ts";
import { SECCOMP_ACTIONS, SECCOMP_ARCHITECTURES, SECCOMP_FLAGS, SECCOMP_OPERATORS } from "../spec/seccomp.ts";
import { openLibrary } from "./seccomp.ts";

const EFAULT = 14;

export interface SeccompSupport {
  readonly seccomp: SeccompFeatures;
  /** `[major, minor, micro]` of the installed libseccomp. */
  readonly libseccomp: readonly [number, number, number] | undefined;
}

export function describeSupport(ctx: Pick<Context, "installDir">): SeccompSupport {
  return {
    seccomp: {
      enabled: true,
      actions: [...SECCOMP_ACTIONS].sort(),
      operators: [...SECCOMP_OPERATORS].sort(),
      archs: [...SECCOMP_ARCHITECTURES].sort(),
      knownFlags: SECCOMP_FLAGS,
      supportedFlags: SECCOMP_FLAGS.filter((flag) => isFlagSupported(ctx, flag)),
    },
    libseccomp: findVersion(ctx),
  };
}

function findVersion(ctx: Pick<Context, "installDir">): SeccompSupport["libseccomp"] {
  try {
    return openLibrary(ctx).version;
  } catch (error) {
    if (error instanceof TsruncError) return undefined; // not installed: containers without a profile still run
    throw error;
  }
}

/** A flag that the kernel knows makes it look at the filter's address, which is bad; another one is EINVAL. */
function isFlagSupported(ctx: Pick<Context, "installDir">, name: (typeof SECCOMP_FLAGS)[number]): boolean {
  const libc = loadLibc(ctx.installDir);
  const listener = SECCOMP_FILTER_FLAG.SECCOMP_FILTER_FLAG_NEW_LISTENER;
  const needsListener = name === "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV";
  const flags = SECCOMP_FILTER_FLAG[name] | (needsListener ? listener : 0);
  return libc.seccomp(SECCOMP_SET_MODE_FILTER, flags, null) < 0 && libc.errno() === EFAULT;
}
