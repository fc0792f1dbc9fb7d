// Raising hard limits of another process.
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { raiseRlimits } from "../../src/host/rlimits.ts";
import { runBatch, type Session } from "../../src/host/session.ts";
import { RLIM_INFINITY, RLIMITS, type RlimitName } from "../../src/linux/rlimits.ts";
import { NULL, PlanBuilder, struct, u64 } from "../../src/plan/build.ts";
import type { InitStep } from "../../src/plan/step.ts";
import { withInit } from "../init/init.ts";

const limit = (name: RlimitName, soft: bigint, hard: bigint) => ({
  name,
  resource: RLIMITS[name],
  soft,
  hard,
});

function lower(session: Session, name: RlimitName, soft: bigint, hard: bigint): void {
  const p = new PlanBuilder();
  p.call("prlimit64", [0, RLIMITS[name], struct(u64("soft", soft), u64("hard", hard)), NULL]);
  runBatch(session, p.build().steps as InitStep[], 0);
}

/** Soft and hard limit as /proc tells them. */
function read(session: Session, title: string): string[] {
  const text = readFileSync(`/proc/${session.init.launcherPid}/limits`, "utf8");
  return new RegExp(`^${title} +(\\S+) +(\\S+)`, "m").exec(text)?.slice(1) ?? [];
}

const CAP_SYS_RESOURCE = 1n << 24n;
const effective = /^CapEff:\t(.*)$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1];
const cannotRaise = (BigInt(`0x${effective}`) & CAP_SYS_RESOURCE) === 0n;

describe("raiseRlimits", () => {
  test.skipIf(cannotRaise)("raises a hard limit, and leaves the soft one", () =>
    withInit((session) => {
      lower(session, "RLIMIT_NOFILE", 100n, 200n);
      raiseRlimits(session.init.libc, session.init.launcherPid, [limit("RLIMIT_NOFILE", 50n, 300n)]);
      expect(read(session, "Max open files")).toEqual(["100", "300"]);
    }),
  );
  test.skipIf(cannotRaise)("raises to infinity", () =>
    withInit((session) => {
      lower(session, "RLIMIT_CORE", 0n, 0n);
      raiseRlimits(session.init.libc, session.init.launcherPid, [
        limit("RLIMIT_CORE", RLIM_INFINITY, RLIM_INFINITY),
      ]);
      expect(read(session, "Max core file size")).toEqual(["0", "unlimited"]);
    }),
  );
  test("lowers nothing", () =>
    withInit((session) => {
      lower(session, "RLIMIT_NOFILE", 100n, 200n);
      raiseRlimits(session.init.libc, session.init.launcherPid, [limit("RLIMIT_NOFILE", 5n, 10n)]);
      expect(read(session, "Max open files")).toEqual(["100", "200"]);
    }));
  test("tells the config's path", () =>
    withInit((session) => {
      const limits = [
        limit("RLIMIT_NOFILE", 5n, 10n),
        limit("RLIMIT_NOFILE", 5n, RLIM_INFINITY), // above fs.nr_open
      ];
      expect(() => raiseRlimits(session.init.libc, session.init.launcherPid, limits)).toThrow(
        /^process\.rlimits\[1\]: raise the hard limit of nofile: prlimit64\(\d+, RLIMIT_NOFILE, {rlim_cur=5, rlim_max=RLIM64_INFINITY}, NULL\): operation not permitted$/,
      );
    }));
});

test("each limit has the kernel's number", () => {
  const titles: Record<RlimitName, string> = {
    RLIMIT_CPU: "Max cpu time",
    RLIMIT_FSIZE: "Max file size",
    RLIMIT_DATA: "Max data size",
    RLIMIT_STACK: "Max stack size",
    RLIMIT_CORE: "Max core file size",
    RLIMIT_RSS: "Max resident set",
    RLIMIT_NPROC: "Max processes",
    RLIMIT_NOFILE: "Max open files",
    RLIMIT_MEMLOCK: "Max locked memory",
    RLIMIT_AS: "Max address space",
    RLIMIT_LOCKS: "Max file locks",
    RLIMIT_SIGPENDING: "Max pending signals",
    RLIMIT_MSGQUEUE: "Max msgqueue size",
    RLIMIT_NICE: "Max nice priority",
    RLIMIT_RTPRIO: "Max realtime priority",
    RLIMIT_RTTIME: "Max realtime timeout",
  };
  withInit((session) => {
    for (const name of Object.keys(titles) as RlimitName[]) {
      // Different for each, enough that init still runs, and no more than it has.
      const hard = BigInt((read(session, titles[name])[1] ?? "").replace("unlimited", String(RLIM_INFINITY)));
      const most = ["RLIMIT_AS", "RLIMIT_DATA", "RLIMIT_STACK"].includes(name) ? 0x40000000n : 1000n;
      const wanted = (hard < most ? hard : most) - BigInt(hard === 0n ? 0 : RLIMITS[name]);
      lower(session, name, wanted, wanted);
      expect({ name, limits: read(session, titles[name]) }).toEqual({
        name,
        limits: [String(wanted), String(wanted)],
      });
    }
  });
});
