// What `features` tells about seccomp.
import type { Context } from "../context.ts";
import { TsruncError } from "../errors.ts";
import type { SeccompFeatures } from "../spec/features.ts";
import { SECCOMP_ACTIONS, SECCOMP_ARCHITECTURES, SECCOMP_FLAGS, SECCOMP_OPERATORS } from "../spec/names.ts";
import { isFlagSupported, openLibrary } from "./seccomp.ts";

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
