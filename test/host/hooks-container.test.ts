// Hooks as real processes in a container's namespaces.
import { describe, expect, test } from "bun:test";
import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { readProcessStat } from "../../src/host/process-stat.ts";
import { openHookFolder, sh } from "./hooks.ts";

const { own, run } = openHookFolder();

const at = (pid: number) => ({ pid, startTime: readProcessStat(pid)?.startTime ?? "" });

describe("in the container's namespaces", () => {
  /** A process in new namespaces, and its pid. */
  async function startContainer(flags: readonly string[]): Promise<[ChildProcess, number]> {
    const args = [
      ...flags,
      "--mount",
      "--uts",
      "--ipc",
      "--net",
      "--pid",
      "--fork",
      "--mount-proc",
      "sleep",
      "60",
    ];
    const child = spawn("unshare", args, { stdio: "ignore" });
    own.add(child);
    for (;;) {
      await Bun.sleep(20);
      const pid = Number(readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, "utf8").trim());
      if (pid > 0 && readFileSync(`/proc/${pid}/comm`, "utf8") === "sleep\n") return [child, pid];
    }
  }
  async function stopContainer(child: ChildProcess, pid: number): Promise<void> {
    const ended = new Promise((done) => child.once("exit", done));
    process.kill(pid, "SIGKILL");
    await ended;
    own.delete(child);
  }
  const types = ["mnt", "uts", "ipc", "net", "pid", "user"];
  for (const flags of [[], ["--user"]])
    test(`all of them${flags.length > 0 ? ", with a user namespace" : ""}`, async () => {
      const [child, pid] = await startContainer(flags);
      if (flags.length > 0)
        for (const kind of ["uid", "gid"]) writeFileSync(`/proc/${pid}/${kind}_map`, "0 100000 65536\n");
      try {
        const links = types.map((type) => `readlink /proc/self/ns/${type}`).join("; ");
        const wanted = new TextDecoder().decode(
          Bun.spawnSync(["sh", "-c", links.replaceAll("self", String(pid))]).stdout,
        );
        const { error } = run(sh(`${links}; id -u; echo $$; exit 1`), { container: at(pid), cwd: "/" });
        expect(error).toMatch(`stdout: ${wanted}0\n`);
        // Of its pid namespace it sees its number there, which is small.
        expect(error).toMatch(/\n\d\n, stderr: $/);
        // The caller's own stay as they are.
        expect(run(sh("readlink /proc/self/ns/uts; exit 1")).error).not.toMatch(
          wanted.split("\n")[1] as string,
        );
      } finally {
        await stopContainer(child, pid);
      }
    });
  test("a timeout kills the hook and its children", async () => {
    const [child, pid] = await startContainer([]);
    try {
      const { error, ms } = run(sh("sleep 51 & setsid sleep 52 & sleep 53", { timeout: 1 }), {
        container: at(pid),
        cwd: "/",
      });
      expect(error).toMatch("ran past");
      expect(ms).toBeLessThan(3000);
      expect(new TextDecoder().decode(Bun.spawnSync(["ps", "-eo", "args"]).stdout)).not.toMatch(
        /sleep 5[123]/,
      );
    } finally {
      await stopContainer(child, pid);
    }
  });
  test("failures name the call of the hook", async () => {
    const [child, pid] = await startContainer([]);
    try {
      const missing = run({ path: "/nope" }, { container: at(pid), cwd: "/" });
      expect(missing.error).toBe(
        "error running createRuntime hook #0: fork/exec /nope: no such file or directory",
      );
      // CVE-2024-21626: no descriptor of init's is a working directory.
      const magic = run(sh("true"), { container: at(pid), cwd: "/proc/self/cwd" });
      expect(magic.error).toMatch("too many levels of symbolic links");
      const entered = run(sh("id -u; exit 1"), {
        container: at(pid),
        cwd: "/",
        enter: (p) => void p.call("setresuid", [1000, 1000, 1000]),
      });
      expect(entered.error).toMatch("stdout: 1000\n");
    } finally {
      await stopContainer(child, pid);
    }
  });
  test("a container that is gone is an error", () => {
    const ended = Bun.spawnSync(["true"]);
    // Its number is another process's by now.
    expect(run(sh("true"), { container: { pid: process.pid, startTime: "1" }, cwd: "/" }).error).toMatch(
      "has ended",
    );
    expect(run(sh("true"), { container: { pid: ended.pid, startTime: "1" }, cwd: "/" }).error).toMatch(
      "has ended",
    );
  });
});
