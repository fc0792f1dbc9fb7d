// What a container's cgroup has used. Reading is apart from parsing: stats-v1.ts and stats-v2.ts turn the texts of
// files into numbers, and know nothing of the file system.
import { readdirSync } from "node:fs";
import { toSyscallError } from "../errors.ts";
import type { CgroupStats, StatFiles } from "./stats-types.ts";
import { collectStatsV1 } from "./stats-v1.ts";
import { collectStatsV2 } from "./stats-v2.ts";
import type { CgroupRecord } from "./types.ts";
import { isErrno, isGone, readIfThere } from "./write.ts";

const EOPNOTSUPP = 95;

/** Everything that the kernel counts; zeros for a cgroup that is gone. Throws TsruncError, SyscallError. */
export function readCgroupStats(record: CgroupRecord): CgroupStats {
  const files = openStatFiles(record);
  return record.mode === "v2" ? collectStatsV2(files) : collectStatsV1(files);
}

/** The files of a container's cgroup, read when they are asked for. */
export function openStatFiles({ paths }: CgroupRecord): StatFiles {
  return {
    read: (hierarchy, file) => {
      const dir = paths[hierarchy];
      if (dir === undefined) return undefined;
      try {
        return readIfThere(`${dir}/${file}`);
      } catch (error) {
        // Pressure information may be compiled in and switched off.
        if (isErrno(error, EOPNOTSUPP)) return undefined;
        throw error;
      }
    },
    list: (hierarchy) => {
      const dir = paths[hierarchy];
      if (dir === undefined) return [];
      try {
        return readdirSync(dir);
      } catch (error) {
        if (isGone(error)) return [];
        throw toSyscallError(error, "", `readdir ${dir}`);
      }
    },
  };
}
