// The process section of config.json, seen from inside: rlimits, oomScoreAdj, scheduling; and linux.personality.
import { describe, expect, test } from "bun:test";
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { addUserNamespace } from "./config.ts";
import { executable, isPeer, openSandbox } from "./harness.ts";

const box = openSandbox("process-limits");
const ours = test.skipIf(isPeer);

describe("rlimits", () => {
  ours(
    "without a limit of open files the caller's soft limit holds, which the engine has raised",
    async () => {
      const bundle = box.bundle(["sh", "-c", "ulimit -Sn; ulimit -Hn"], (config) => {
        delete config.process.rlimits;
      });
      const script = `ulimit -Sn 333; "$0" --root "$1" run --bundle "$2" "$3"; exit $?`;
      const words = ["-c", script, executable, box.root, bundle.directory, box.id()];
      const [soft, hard] = execFileSync("bash", words, { encoding: "utf8" }).trim().split("\n");
      expect(soft).toBe("333");
      expect(Number(hard)).toBeGreaterThan(333);
    },
  );
  test("soft and hard limits are set, above the caller's hard limit too", async () => {
    const result = await box.look(["cat", "/proc/self/limits"], (config) => {
      config.process.rlimits = [
        { type: "RLIMIT_NOFILE", soft: 100, hard: 200 },
        { type: "RLIMIT_CORE", soft: 0, hard: 4096 },
        { type: "RLIMIT_NPROC", soft: 300, hard: 300 },
      ];
    });
    expect(result.stdout).toMatch(/^Max open files\s+100\s+200/m);
    expect(result.stdout).toMatch(/^Max core file size\s+0\s+4096/m);
    expect(result.stdout).toMatch(/^Max processes\s+300\s+300/m);
  });
  test("18446744073709551615 is unlimited, exactly", async () => {
    const bundle = box.bundle(["cat", "/proc/self/limits"], (config) => {
      config.process.rlimits = [{ type: "RLIMIT_CORE", soft: "MAX", hard: "MAX" }];
    });
    const file = join(bundle.directory, "config.json");
    writeFileSync(file, readFileSync(file, "utf8").replaceAll('"MAX"', "18446744073709551615"));
    const result = await box.run(["run", "--bundle", bundle.directory, box.id()]);
    expect(result.stdout).toMatch(/^Max core file size\s+unlimited\s+unlimited/m);
  });
  ours("numbers above 2^53 are exact", async () => {
    const bundle = box.bundle(["cat", "/proc/self/limits"], (config) => {
      config.process.rlimits = [{ type: "RLIMIT_FSIZE", soft: "BIG", hard: "BIG" }];
    });
    const file = join(bundle.directory, "config.json");
    writeFileSync(file, readFileSync(file, "utf8").replaceAll('"BIG"', "9007199254740993"));
    const result = await box.run(["run", "--bundle", bundle.directory, box.id()]);
    expect(result.stdout).toMatch(/^Max file size\s+9007199254740993\s+9007199254740993/m);
  });
  test("an unknown kind is refused", async () => {
    const result = await box.look(["true"], (config) => {
      config.process.rlimits = [{ type: "RLIMIT_BOGUS", soft: 1, hard: 1 }];
    });
    expect(result.status).toBe(1);
    expect(result.stderr).toMatch("RLIMIT_BOGUS");
  });
  ours("the same kind twice is refused", async () => {
    const result = await box.look(["true"], (config) => {
      const limit = { type: "RLIMIT_CORE", soft: 1, hard: 1 };
      config.process.rlimits = [limit, limit];
    });
    expect(result.status).toBe(1);
  });
  ours("soft above hard is refused", async () => {
    const result = await box.look(["true"], (config) => {
      config.process.rlimits = [{ type: "RLIMIT_CORE", soft: 2, hard: 1 }];
    });
    expect(result.status).toBe(1);
  });
});

describe("oomScoreAdj", () => {
  test("is set, in a user namespace too", async () => {
    for (const change of [() => undefined, addUserNamespace]) {
      const result = await box.look(["cat", "/proc/self/oom_score_adj"], (config) => {
        change(config);
        config.process.oomScoreAdj = 123;
      });
      expect(result.stdout).toBe("123\n");
    }
  });
  test("is inherited when absent", async () => {
    const prefix = ["sh", "-c", 'echo 77 >/proc/self/oom_score_adj; exec "$@"', "sh"];
    expect((await box.look(["cat", "/proc/self/oom_score_adj"], undefined, { prefix })).stdout).toBe("77\n");
  });
});

describe("scheduling", () => {
  ours("scheduler", async () => {
    const result = await box.look(["sh", "-c", "cut -d' ' -f19,41 /proc/$$/stat"], (config) => {
      config.process.scheduler = { policy: "SCHED_BATCH", nice: 7 };
    });
    expect(result.stderr).toBe("");
    expect(result.stdout).toBe("7 3\n");
  });
  ours("ioPriority", async () => {
    const result = await box.look(["ionice"], (config) => {
      config.process.ioPriority = { class: "IOPRIO_CLASS_BE", priority: 6 };
    });
    expect(result.stdout).toMatch(/best-effort: prio 6/);
  });
  ours("execCPUAffinity holds for exec only", async () => {
    const id = box.id();
    const { directory } = box.bundle(["sleep", "100"], (config) => {
      config.process.execCPUAffinity = { initial: "0", final: "0" };
    });
    await box.ok(["run", "-d", "--bundle", directory, id]);
    const list = "grep Cpus_allowed_list";
    const inside = await box.ok(["exec", id, "sh", "-c", `${list} /proc/self/status`]);
    expect(inside.stdout).toMatch(/:\s*0$/m);
    await box.ok(["delete", "--force", id]);
  });
  ours("personality LINUX32", async () => {
    const result = await box.look(["uname", "-m"], (config) => {
      config.linux.personality = { domain: "LINUX32" };
    });
    expect(result.stdout).toMatch(/^(i686|armv8l)\n$/);
  });
});
