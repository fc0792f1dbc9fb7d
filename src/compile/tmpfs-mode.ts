// A tmpfs without a mode of its own looks like the directory that it covers (runc, features.md 10.55).
import { errnoNumber } from "../linux/errno.ts";
import { S, STATX_OFFSETS } from "../linux/mount-flags.ts";
import { load, type PlanBuilder } from "../plan/build.ts";
import type { OutBuffer, Result } from "../plan/step.ts";

/** `before`: statx of what was there before; zero if there was nothing, and then the kernel's default stays. */
export function chmodAsBefore(p: PlanBuilder, mount: Result, before: OutBuffer): void {
  const mode = load(before, STATX_OFFSETS.mode, 4, "stx_mode");
  p.check(mode, S.S_IFMT, S.S_IFDIR, errnoNumber("ENOENT"), {
    tolerate: ["ENOENT"],
    onSuccess: () => p.call("fchmodat", [mount, ".", mode]),
  });
}
