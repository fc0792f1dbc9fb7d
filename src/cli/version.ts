// The version of this build.
import { SPEC_VERSION } from "../spec/state.ts";

// Put in by the build (scripts/build.mjs); absent when the sources run as they are.
declare const TSRUNC_VERSION: string | undefined;
declare const TSRUNC_COMMIT: string | undefined;

export const VERSION: string = typeof TSRUNC_VERSION === "string" ? TSRUNC_VERSION : "development";
export const COMMIT: string = (typeof TSRUNC_COMMIT === "string" && TSRUNC_COMMIT) || "unknown";

/** go-runc wants `NAME version` first, then `commit: ` and `spec: `; moby and Podman print what they find. */
export function formatVersion(): string {
  return `tsrunc version ${VERSION}\ncommit: ${COMMIT}\nspec: ${SPEC_VERSION}\n`;
}
