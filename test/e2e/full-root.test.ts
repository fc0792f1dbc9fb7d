// A file system of states that takes nothing more, or nothing at all: what makes room again works, and what fails
// leaves nothing behind.
import { describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isPeer, openSandbox, readStatus, type Sandbox, waitFor } from "./harness.ts";
import { setHooks, sh } from "./hooks.ts";

const box = openSandbox("full-root");

interface Root extends Pick<Sandbox, "run" | "ok" | "start"> {
  readonly directory: string;
  /** Uses up the file system but for so many inodes. */
  readonly fill: (left: number) => void;
  readonly free: () => void;
  readonly remount: (mode: "ro" | "rw") => void;
}

function command(...args: string[]): void {
  const { exitCode, stderr } = Bun.spawnSync(args);
  if (exitCode !== 0) throw new Error(`${args.join(" ")}: ${stderr.toString()}`);
}

let count = 0;

/** Runs `use` with a small tmpfs as the state root. */
async function withRoot(use: (root: Root) => Promise<void>): Promise<void> {
  const directory = join(box.directory, `states-${count++}`);
  const filler = join(directory, "filler.d");
  mkdirSync(directory);
  command("mount", "-t", "tmpfs", "-o", "size=4m,nr_inodes=64,mode=711", "states", directory);
  mkdirSync(filler);
  const withOption = (args: readonly string[]): string[] => ["--root", directory, ...args];
  const free = (): void => {
    for (const name of readdirSync(filler)) unlinkSync(join(filler, name));
  };
  const fill = (left: number): void => {
    const made: string[] = [];
    try {
      for (;;) {
        const path = join(filler, `${made.length}`);
        writeFileSync(path, "");
        made.push(path);
      }
    } catch (error) {
      expect((error as NodeJS.ErrnoException).code).toBe("ENOSPC");
    }
    for (const path of made.slice(made.length - left)) unlinkSync(path);
  };
  try {
    await use({
      directory,
      run: (args, options) => box.run(withOption(args), options),
      ok: (args, options) => box.ok(withOption(args), options),
      start: (args, options) => box.start(withOption(args), options),
      fill,
      free,
      remount: (mode) => command("mount", "-o", `remount,${mode}`, directory),
    });
  } finally {
    command("mount", "-o", "remount,rw", directory);
    free();
    for (const id of readdirSync(directory))
      if (id !== "filler.d") await box.run(withOption(["delete", "--force", id]));
    command("umount", directory);
  }
}

describe.skipIf(isPeer)("without an inode left", () => {
  for (const left of [0, 1])
    for (const [stage, option] of [
      ["created", []],
      ["created", ["--force"]],
      ["running", ["--force"]],
      ["stopped", []],
      ["stopped", ["--force"]],
    ] as const)
      test(`delete ${option.join("")} of a ${stage} container, ${left} left`, () =>
        withRoot(async (root) => {
          const id = box.id();
          const args = stage === "stopped" ? ["true"] : ["sleep", "1000"];
          await root.ok(["create", "--bundle", box.bundle(args).directory, id]);
          if (stage !== "created") await root.ok(["start", id]);
          if (stage === "stopped")
            await waitFor("its end", async () => (await readStatus(root, id)) === "stopped");
          root.fill(left);
          await root.ok(["delete", ...option, id]);
          expect(readdirSync(root.directory)).toEqual(["filler.d"]);
        }));

  test("delete --force ends a command that holds the lock, and waits for it", () =>
    withRoot(async (root) => {
      const id = box.id();
      const reached = join(box.directory, `${id}.reached`);
      const bundle = box.bundle(["true"], (config) =>
        setHooks(config, { createRuntime: [sh(`touch ${reached}; exec sleep 4`)] }),
      );
      const create = root.start(["create", "--bundle", bundle.directory, id]);
      await waitFor("the hook", () => existsSync(reached));
      root.fill(0);
      const began = Date.now();
      await root.ok(["delete", "--force", id]);
      expect(Date.now() - began).toBeGreaterThan(400);
      expect((await create.result).status).toBe(1);
      expect(readdirSync(root.directory)).toEqual(["filler.d"]);
    }));

  test("of several at once, one deletes", () =>
    withRoot(async (root) => {
      const id = box.id();
      const said = join(box.directory, `${id}.said`);
      const bundle = box.bundle(["sleep", "1000"], (config) =>
        setHooks(config, { poststop: [sh(`echo gone >>${said}`)] }),
      );
      await root.ok(["run", "--detach", "--bundle", bundle.directory, id]);
      root.fill(0);
      await Promise.all([1, 2, 3, 4].map(() => root.ok(["delete", "--force", id])));
      expect(readFileSync(said, "utf8")).toBe("gone\n");
      expect(readdirSync(root.directory)).toEqual(["filler.d"]);
    }));

  for (let left = 0; left < 6; left++)
    test(`create fails, and leaves nothing: ${left} left`, () =>
      withRoot(async (root) => {
        const id = box.id();
        const { directory } = box.bundle(["true"]);
        root.fill(left);
        const result = await root.run(["create", "--bundle", directory, id]);
        expect(result.stderr).toContain("no space left on device");
        expect(result.status).toBe(1);
        expect(readdirSync(root.directory)).toEqual(["filler.d"]);
        root.free();
        await root.ok(["run", "--bundle", directory, id]);
      }));
});

test.skipIf(isPeer)("read-only: delete --force ends what it can, and tells what it cannot", () =>
  withRoot(async (root) => {
    const id = box.id();
    const said = join(box.directory, `${id}.said`);
    const bundle = box.bundle(["sleep", "1000"], (config) =>
      setHooks(config, { poststop: [sh(`echo gone >>${said}`)] }),
    );
    await root.ok(["run", "--detach", "--bundle", bundle.directory, id]);
    const { cgroup } = JSON.parse(readFileSync(join(root.directory, id, "state.json"), "utf8"));
    root.remount("ro");
    const result = await root.run(["delete", "--force", id]);
    expect(result.stderr).toContain("read-only file system");
    expect(result.status).toBe(1);
    expect(await readStatus(root, id)).toBe("stopped");
    expect((Object.values(cgroup.paths) as string[]).filter((path) => existsSync(path))).toEqual([]);
    expect(existsSync(said)).toBe(false);
    root.remount("rw");
    await root.ok(["delete", id]);
    expect(readFileSync(said, "utf8")).toBe("gone\n");
  }),
);
