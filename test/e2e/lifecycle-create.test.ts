// The life of a container as a caller sees it: create in every state, state's output, list, ids, the state directory.
import { describe, expect, test } from "bun:test";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { isPeer, readStatus, waitFor } from "./harness.ts";
import { openLifecycleSandbox } from "./lifecycle.ts";

const { box, withContainer, fails } = openLifecycleSandbox("lifecycle-create");
const ours = test.skipIf(isPeer);

describe("create", () => {
  for (const stage of ["created", "running", "paused", "stopped"] as const) {
    test(`of an id that is ${stage}`, () =>
      withContainer(stage, async (id) => {
        const { directory } = box.bundle(["true"]);
        await fails(["create", "--bundle", directory, id], 1, "container with given ID already exists");
        await fails(["run", "--bundle", directory, id], 1, "container with given ID already exists");
        expect(await readStatus(box, id)).toBe(stage);
      }));
  }
  test("takes the working directory as the bundle", async () => {
    const id = box.id();
    await box.ok(["create", id], { cwd: box.bundle(["true"]).directory });
    await box.ok(["delete", id]);
  });
  test("later changes of config.json have no effect", async () => {
    const bundle = box.bundle(["sh", "-c", "echo first"]);
    const id = box.id();
    const started = box.start(["create", "--bundle", bundle.directory, id]);
    await started.result;
    bundle.edit((config) => {
      config.process.args = ["sh", "-c", "echo second"];
    });
    await box.ok(["start", id]);
    await waitFor("the end", async () => (await readStatus(box, id)) === "stopped");
    expect(started.stdout()).toBe("first\n");
    await box.ok(["delete", id]);
  });
  test("without a bundle", () =>
    fails(["create", "--bundle", "/no/such/bundle", box.id()], 1, "no such file or directory"));
  test("without config.json", async () => {
    const empty = join(box.directory, "empty");
    mkdirSync(empty);
    await fails(["create", "--bundle", empty, box.id()], 1, /config\.json/);
  });
  test("without a root file system", async () => {
    const { directory } = box.bundle(["true"], (config) => {
      config.root.path = "missing";
    });
    await fails(["create", "--bundle", directory, box.id()], 1, /missing.*no such file or directory/);
  });
  ours("the same id ten times at once has one winner", async () => {
    const id = box.id();
    const bundles = Array.from({ length: 10 }, () => box.bundle(["sleep", "100"]).directory);
    const results = await Promise.all(bundles.map((b) => box.run(["create", "--bundle", b, id])));
    const winners = results.filter((r) => r.status === 0);
    expect(winners.length).toBe(1);
    for (const loser of results.filter((r) => r.status !== 0)) {
      expect(loser.status).toBe(1);
      expect(loser.stderr).toMatch("container with given ID already exists");
    }
    await box.ok(["delete", "--force", id]);
  });
  ours("ten starts at once have one winner", () =>
    withContainer("created", async (id) => {
      const results = await Promise.all(Array.from({ length: 10 }, () => box.run(["start", id])));
      expect(results.filter((r) => r.status === 0).length).toBe(1);
      for (const loser of results.filter((r) => r.status !== 0))
        expect(loser.stderr).toMatch("cannot start an already running container");
    }),
  );
  ours("ten deletes at once all end, and the container is gone", async () => {
    const id = box.id();
    await box.ok(["create", "--bundle", box.bundle(["sleep", "100"]).directory, id]);
    const results = await Promise.all(Array.from({ length: 10 }, () => box.run(["delete", "--force", id])));
    expect(results.map((r) => r.status)).toEqual(Array.from({ length: 10 }, () => 0));
  });
});

describe("state", () => {
  test("tells what the spec asks for", async () => {
    const bundle = box.bundle(["sleep", "100"], (config) => {
      config.annotations = { "org.example.key": "value" };
    });
    const id = box.id();
    await box.ok(["create", "--bundle", bundle.directory, id]);
    const { stdout } = await box.ok(["state", id]);
    const state = JSON.parse(stdout) as Record<string, unknown>;
    expect(state).toMatchObject({
      id,
      status: "created",
      bundle: bundle.directory,
      rootfs: bundle.rootfs,
      owner: "",
    });
    expect(state.annotations).toMatchObject({ "org.example.key": "value" });
    expect(state.created).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/);
    expect(String(state.ociVersion)).toMatch(/^1\./);
    expect(existsSync(`/proc/${String(state.pid)}`)).toBe(true);
    expect(stdout.startsWith('{\n  "ociVersion"')).toBe(true);
    expect(stdout.endsWith("}")).toBe(true);
    await box.ok(["kill", id, "KILL"]);
    await waitFor("the end", async () => (await readStatus(box, id)) === "stopped");
    expect(JSON.parse((await box.ok(["state", id])).stdout)).toMatchObject({ status: "stopped", pid: 0 });
    await box.ok(["delete", id]);
  });
  test("of an absent container", () => fails(["state", box.id()], 1, "container does not exist"));
});

describe("list", () => {
  test("shows every container, in a table, as JSON, and by id alone", async () => {
    const id = box.id();
    await box.ok(["create", "--bundle", box.bundle(["sleep", "100"]).directory, id]);
    expect((await box.ok(["list", "-q"])).stdout).toBe(`${id}\n`);
    const rows = JSON.parse((await box.ok(["list", "--format", "json"])).stdout) as {
      id: string;
      status: string;
      owner: string;
    }[];
    expect(rows).toMatchObject([{ id, status: "created", owner: "root" }]);
    const [head, row] = (await box.ok(["list"])).stdout.split("\n");
    expect(head?.split(/\s+/).filter(Boolean)).toEqual(["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"]);
    expect(row?.startsWith(id)).toBe(true);
    await box.ok(["delete", "--force", id]);
    expect((await box.ok(["list", "--format=json"])).stdout.trim()).toBe("null");
    expect((await box.ok(["list", "-q"])).stdout).toBe("");
  });
});

describe("ids", () => {
  for (const id of ["../x", "a/b", ".", "..", "", "a\nb", "a b", "ä", "a\\b", "$(id)", "x".repeat(2000)]) {
    test(`refuses ${JSON.stringify(id.slice(0, 20))}`, async () => {
      const { directory } = box.bundle(["true"]);
      const before = existsSync(box.root) ? readdirSync(box.root) : [];
      for (const words of [
        ["run", "--bundle", directory, id],
        ["state", id],
        ["delete", id],
      ]) {
        const result = await box.run(words);
        expect(result.status).toBe(1);
        if (!isPeer)
          expect(result.stderr).toMatch(
            /invalid container ID format|container does not exist|name too long|cannot be empty/,
          );
      }
      expect(existsSync(box.root) ? readdirSync(box.root) : []).toEqual(before);
      expect(existsSync(join(box.directory, "x"))).toBe(false);
    });
  }
  test("takes letters, digits and _+.-", async () => {
    const id = `${box.id()}_A+z.9`;
    await box.ok(["run", "--bundle", box.bundle(["true"]).directory, id]);
  });
});

describe("state directory", () => {
  test("nobody but root can write below it", () =>
    withContainer("created", async (id) => {
      expect(statSync(box.root).mode & 0o077 & ~0o011).toBe(0);
      for (const name of readdirSync(join(box.root, id))) {
        const info = statSync(join(box.root, id, name));
        // The start socket or fifo may be written to by those who reach it; the directory keeps them away.
        if (info.isFile()) expect({ name, mode: info.mode & 0o077 }).toEqual({ name, mode: 0 });
      }
    }));
  ours("--root / is refused", async () => {
    const result = await box.run(["--root", "/", "list"]);
    expect(result.status).toBe(1);
  });
  test("delete does not follow a symbolic link in it", () =>
    withContainer("stopped", async (id) => {
      const target = join(box.directory, "precious");
      mkdirSync(target);
      writeFileSync(join(target, "file"), "kept");
      symlinkSync(target, join(box.root, id, "link"));
      await box.ok(["delete", "--force", id]);
      expect(readFileSync(join(target, "file"), "utf8")).toBe("kept");
    }));
  test("list goes on after a broken entry", () =>
    withContainer("created", async (id) => {
      mkdirSync(join(box.root, "broken"));
      const result = await box.ok(["list", "-q"]);
      expect(result.stdout).toMatch(id);
      expect(result.stderr).toMatch("broken");
      await box.run(["delete", "--force", "broken"]);
      Bun.spawnSync(["rmdir", join(box.root, "broken")]);
    }));
});
