// Thawing a container that is to die.
import { isFrozen, setFreezer } from "./freezer.ts";
import type { CgroupRecord } from "./types.ts";
import { walkCgroup } from "./walk.ts";
import { isGone, readIfThere, writeFile } from "./write.ts";

/**
 * Thaws the container's cgroup so that killed processes die: on v1 a frozen one does not even of SIGKILL, and a
 * container may have frozen cgroups that it has made below its own. On v2 SIGKILL reaches frozen processes, and what
 * the container has frozen below goes as it is. True if anything was frozen. Throws SyscallError.
 */
export function thawForDeath(record: CgroupRecord): boolean {
  if (record.mode !== "v2") return thawTreeV1(record.paths.freezer);
  const wasFrozen = isFrozen(record);
  if (wasFrozen) setFreezer(record, false);
  return wasFrozen;
}

function thawTreeV1(dir: string | undefined): boolean {
  let wasFrozen = false;
  if (dir === undefined) return wasFrozen;
  // From above: a cgroup stays frozen as long as one above it is.
  walkCgroup(dir, {
    enter: (path) => {
      if (readIfThere(`${path}/freezer.self_freezing`) !== "1\n") return;
      wasFrozen = true;
      try {
        writeFile(`${path}/freezer.state`, "THAWED", "thaw the container");
      } catch (error) {
        if (!isGone(error)) throw error;
      }
    },
  });
  return wasFrozen;
}
