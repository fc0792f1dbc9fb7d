// Hooks as real processes: what they get, how they end, and that nothing of theirs holds us up.
import { describe, expect, test } from "bun:test";
import { closeSync, openSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import type { Context } from "../../src/context.ts";
import { type HookCommand, runHooks } from "../../src/host/hooks.ts";
import { context } from "../init/init.ts";
import { openHookFolder, sh } from "./hooks.ts";

const { folder, file, read, run } = openHookFolder();

describe("a hook on the host", () => {
  test("gets the state, the directory, exactly its environment, and no other descriptor", () => {
    const script = [
      `cat >${file("state")}`,
      `pwd >${file("cwd")}`,
      `tr '\\0' '\\n' </proc/$$/environ >${file("env")}`,
      // By the shell itself: it blocks all signals for the moment in which it starts a program (dash's vfork).
      `while read -r line; do echo "$line"; done </proc/$$/status >${file("status")}`,
      `exec ls /proc/self/fd >${file("fds")}`,
    ].join("\n");
    expect(run(sh(script), { state: '{"id":"a"}' }).error).toBeUndefined();
    expect(read("state")).toBe('{"id":"a"}');
    expect(read("cwd").trim()).toBe(folder);
    expect(read("env")).toBe("PATH=/usr/bin:/bin\n");
    expect(read("fds").trim().split("\n")).toEqual(["0", "1", "2", "3"]); // 3 is ls's own
    // The engine ignores SIGPIPE, and the hook must not.
    expect(/^SigIgn:\s+(.*)$/m.exec(read("status"))?.[1]).toBe("0000000000000000");
    expect(/^SigBlk:\s+(.*)$/m.exec(read("status"))?.[1]).toBe("0000000000000000");
  });
  test("has an empty environment and its path as args without any", () => {
    const script = `#!/bin/sh\ntr '\\0' '|' </proc/$$/cmdline >${file("args")}\ncat /proc/$$/environ >${file("env")}\n`;
    writeFileSync(file("bare"), script, { mode: 0o755 });
    expect(run({ path: file("bare") }).error).toBeUndefined();
    expect(read("args")).toBe(`/bin/sh|${file("bare")}|`);
    expect(read("env")).toBe("");
  });
  test("may leave a state unread that no pipe holds, or read it all", () => {
    const state = "x".repeat(3_000_000);
    expect(run(sh("exit 0"), { state }).error).toBeUndefined();
    expect(run(sh(`wc -c >${file("size")}`), { state }).error).toBeUndefined();
    expect(read("size").trim()).toBe("3000000");
    expect(run(sh("exec <&-; sleep 0.2"), { state }).error).toBeUndefined();
  });
  test("leads a session of its own", () => {
    expect(run(sh(`cat /proc/self/stat >${file("stat")}; echo $$ >>${file("stat")}`)).error).toBeUndefined();
    const [stat = "", pid] = read("stat").split("\n");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    expect(fields[3]).toBe(pid as string);
  });
  test("may leave a daemon behind that keeps the output open", () => {
    const { error, ms } = run(sh("setsid sleep 3 & exit 0"));
    expect(error).toBeUndefined();
    expect(ms).toBeLessThan(2000);
  });
  test("may leave a daemon behind that never stops writing", () => {
    const { error, ms } = run(sh("setsid timeout 3 yes & sleep 0.2; echo last; exit 1"));
    expect(error).toMatch("exit status 1");
    expect(ms).toBeLessThan(2000);
  });
  test("writes where it is told", () => {
    const fd = openSync(file("output"), "w");
    expect(run(sh("echo one; echo two >&2; exit 1"), { stdout: fd, stderr: fd }).error).toMatch(
      "exit status 1, stdout: , stderr: ",
    );
    closeSync(fd);
    expect(read("output")).toBe("one\ntwo\n");
  });
});

describe("a failure is told in runc's words", () => {
  const cases: readonly (readonly [string, HookCommand, string])[] = [
    ["exit", sh("echo out; echo err >&2; exit 3"), "exit status 3, stdout: out\n, stderr: err\n"],
    ["signal", sh("kill -TERM $$"), "signal: terminated, stdout: , stderr: "],
    ["missing", { path: "/no/such/hook" }, "fork/exec /no/such/hook: no such file or directory"],
    ["not executable", { path: "/etc/passwd" }, "fork/exec /etc/passwd: permission denied"],
    ["timeout", sh("sleep 30", { timeout: 1 }), "hook ran past specified timeout of 1.0s"],
  ];
  for (const [name, hook, text] of cases)
    test(name, () => {
      expect(run(hook).error).toBe(`error running createRuntime hook #0: ${text}`);
    });
  test("directory", () => {
    expect(run(sh("true"), { cwd: "/no/such/cwd" }).error).toBe(
      "error running createRuntime hook #0: chdir /no/such/cwd: no such file or directory",
    );
  });
  test("with the index of the hook, and the later ones do not run", () => {
    const hooks = [sh("true"), sh("exit 1"), sh(`touch ${file("third")}`)];
    expect(() => runHooks(context, "createRuntime", hooks, { state: "{}", cwd: folder })).toThrow(
      "error running createRuntime hook #1: exit status 1, stdout: , stderr: ",
    );
    expect(readdirSync(folder)).not.toContain("third");
  });
  test("as a warning for poststop, and the later ones run", () => {
    const warnings: string[] = [];
    const ctx: Context = {
      ...context,
      log: { ...context.log, warn: (text: string) => void warnings.push(text) },
    };
    const hooks = [sh("exit 6"), { path: "/nope" }, sh(`touch ${file("last")}`)];
    runHooks(ctx, "poststop", hooks, { state: "{}", cwd: folder });
    expect(warnings).toEqual([
      "error running poststop hook #0: exit status 6, stdout: , stderr: ",
      "error running poststop hook #1: fork/exec /nope: no such file or directory",
    ]);
    expect(readdirSync(folder)).toContain("last");
  });
  test("with a bounded end of its output", () => {
    const { error } = run(sh("yes | head -c 200000000; echo the end; yes e | head -c 100000 >&2; exit 1"));
    expect(error?.length).toBeLessThan(40_000);
    expect(error).toMatch("the end\n, stderr: ...");
  });
});

describe("a timeout", () => {
  test("may be longer than what poll(2) can wait", () => {
    // 2^32 milliseconds and 0.7 seconds.
    expect(run(sh("sleep 1", { timeout: 4294968 })).error).toBeUndefined();
  });
  /** Pids that a script has written, one a line, as far as they still run. */
  const alive = (name: string): string[] =>
    read(name)
      .trim()
      .split("\n")
      .filter((pid) => readdirSync("/proc").includes(pid))
      .filter((pid) => !/^State:\tZ/m.test(readFileSync(`/proc/${pid}/status`, "utf8")));

  test("kills children, those in other groups and sessions too, and whoever ignores SIGTERM", () => {
    const script = [
      "trap '' TERM HUP",
      `note() { echo $1 >>${file("pids")}; }`,
      "sleep 41 & note $!",
      "set -m; sleep 42 & note $!; set +m", // a process group of its own
      "setsid sleep 43 & note $!", // a session of its own
      "(sleep 44 & note $!) &", // an orphan in the hook's session
      "sleep 45",
    ].join("\n");
    const { error, ms } = run(sh(script, { timeout: 1 }));
    expect(error).toMatch("ran past");
    expect(ms).toBeGreaterThan(990);
    expect(ms).toBeLessThan(3000);
    expect(read("pids").trim().split("\n").length).toBe(4);
    expect(alive("pids")).toEqual([]);
  });
  test("holds while the hook writes without pause", () => {
    const { error, ms } = run(sh("yes", { timeout: 1 }));
    expect(error).toMatch("ran past");
    expect(ms).toBeLessThan(3000);
  });
  test("does not hit a hook that ends before it", () => {
    expect(run(sh("exit 0", { timeout: 1 })).error).toBeUndefined();
  });
});
