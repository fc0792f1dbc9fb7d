// Signals to `create`, `run` and a hook of theirs: from another process, and by the keys of a terminal.
import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { executable, openSandbox, readStatus, waitFor } from "./harness.ts";
import { setHooks, sh } from "./hooks.ts";
import { runOnPty, runOnTerminal } from "./terminals.ts";

const box = openSandbox("signals-create");

/** A bundle whose hook runs the script; the file is there when it has begun. */
function makeBundle(script: string) {
  const file = join(box.directory, box.id());
  const { directory } = box.bundle(["sh", "-c", "echo up; sleep 1"], (config) =>
    setHooks(config, { createRuntime: [sh(`touch ${file}; ${script.replaceAll("FILE", file)}`)] }),
  );
  return { file, directory };
}

for (const [words, status] of [
  [["create"], "created"],
  [["run", "-d"], "running"],
] as const)
  test(`${words.join(" ")} is not interrupted by a signal`, async () => {
    const id = box.id();
    const { file, directory } = makeBundle("sleep 0.7; touch FILE.done");
    const started = box.start([...words, "--bundle", directory, id]);
    await waitFor("the hook", () => existsSync(file));
    for (const name of ["SIGTERM", "SIGINT", "SIGHUP"] as const) started.child.kill(name);
    expect(await started.result).toMatchObject({ status: 0, signal: null });
    expect(existsSync(`${file}.done`)).toBe(true);
    expect(await readStatus(box, id)).toBe(status);
    await box.ok(["delete", "--force", id]);
  });

describe("at a terminal", () => {
  for (const words of [["run"], ["run", "-d"], ["create"]])
    for (const [key, name] of [
      ["\u0003", "interrupt"],
      ["\u001c", "quit"],
    ] as const)
      test(`the key for ${name} ends a hook of ${words.join(" ")}, and nothing is left`, async () => {
        const { file, directory } = makeBundle("ulimit -c 0; sleep 20; touch FILE.done");
        const args = ["--root", box.root, ...words, "--bundle", directory, box.id()];
        const terminal = runOnTerminal(args, box.directory);
        await waitFor("the hook", () => existsSync(file));
        await Bun.sleep(100);
        terminal.write(key);
        await terminal.expect(new RegExp(`signal: ${name}`));
        await terminal.ended;
        expect(JSON.parse(terminal.report().trim().split("\n").at(-1) ?? "")).toMatchObject({ status: 1 });
        expect(existsSync(`${file}.done`)).toBe(false);
      });
  test("what the caller ignores, as nohup does, ends no hook", async () => {
    const id = box.id();
    const { file, directory } = makeBundle("sleep 1; touch FILE.done");
    const command = `${executable} --root ${box.root} create --bundle ${directory} ${id} </dev/null >/dev/null 2>&1`;
    const script = `trap '' HUP INT; ${command} & while [ ! -e ${file} ]; do sleep 0.05; done; sleep 0.2; kill -HUP 0; sleep 0.2; kill -INT 0; wait $!`;
    const terminal = runOnPty(["sh", "-c", script], box.directory);
    await terminal.ended;
    expect(JSON.parse(terminal.report().trim().split("\n").at(-1) ?? "")).toMatchObject({ status: 0 });
    expect(existsSync(`${file}.done`)).toBe(true);
    expect(await readStatus(box, id)).toBe("created");
    await box.ok(["delete", "--force", id]);
  });
  test("a hook that handles the keys gets each, and goes on", async () => {
    const { file, directory } = makeBundle(
      "n=0; trap 'n=$((n+1)); echo $n >>FILE' INT; while [ $n -lt 3 ]; do sleep 0.05; done; exit 0",
    );
    const terminal = runOnTerminal(
      ["--root", box.root, "run", "--bundle", directory, box.id()],
      box.directory,
    );
    await waitFor("the hook", () => existsSync(file));
    for (const count of ["1\n", "1\n2\n", "1\n2\n3\n"]) {
      await Bun.sleep(100);
      terminal.write("\u0003");
      await waitFor("the trap", () => readFileSync(file, "utf8") === count);
    }
    await terminal.expect(/up/);
    await terminal.ended;
  });
});
