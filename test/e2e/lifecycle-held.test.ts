// Commands on a container that another command works on: hooks that use the runtime or never end, and ids that change hands.
import { expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { executable, isPeer, openSandbox, readStatus, waitFor } from "./harness.ts";
import { setHooks, sh } from "./hooks.ts";

const box = openSandbox("lifecycle-held");
const ours = test.skipIf(isPeer);
const runtime = `${executable} --root ${box.root}`;

for (const way of ["start", "run --detach", "run"] as const)
  test(`a poststart hook can use the runtime: ${way}`, async () => {
    const id = box.id();
    const said = join(box.directory, `${id}.said`);
    const bundle = box.bundle(["sleep", "1000"], (config) =>
      setHooks(config, {
        poststart: [
          sh(
            `{ ${runtime} pause ${id} && ${runtime} resume ${id} && ${runtime} state ${id}; } >${said} 2>&1`,
          ),
          ...(way === "run" ? [sh(`${runtime} kill ${id} KILL`)] : []),
        ],
      }),
    );
    const began = Date.now();
    if (way === "start") {
      await box.ok(["create", "--bundle", bundle.directory, id]);
      await box.ok(["start", id]);
    } else {
      const result = await box.run([...way.split(" "), "--bundle", bundle.directory, id]);
      expect(result.status).toBe(way === "run" ? 137 : 0);
    }
    expect(Date.now() - began).toBeLessThan(8_000);
    expect(JSON.parse(readFileSync(said, "utf8"))).toMatchObject({ id, status: "running" });
    if (way !== "run") await box.ok(["delete", "--force", id]);
  });

ours("a poststart hook that fails stops its container, and no later one with its id", async () => {
  const id = box.id();
  const other = box.bundle(["sleep", "1000"]).directory;
  const bundle = box.bundle(["sleep", "1000"], (config) =>
    setHooks(config, {
      poststart: [
        sh(
          `${runtime} delete --force ${id} && ${runtime} run --detach --bundle ${other} ${id} >/dev/null 2>&1; exit 4`,
        ),
      ],
    }),
  );
  const result = await box.run(["run", "--detach", "--bundle", bundle.directory, id]);
  expect(result).toMatchObject({ status: 1 });
  expect(result.stderr).toContain("poststart hook #0: exit status 4");
  expect(await readStatus(box, id)).toBe("running");
  await box.ok(["delete", "--force", id]);
});

test("delete --force ends a create that hangs in a hook", async () => {
  const id = box.id();
  const reached = join(box.directory, `${id}.reached`);
  const bundle = box.bundle(["true"], (config) =>
    setHooks(config, { createRuntime: [sh(`touch ${reached}; exec sleep 4`)] }),
  );
  const create = box.start(["create", "--bundle", bundle.directory, id]);
  await waitFor("the hook", () => existsSync(reached));
  await box.ok(["delete", "--force", id]);
  expect((await create.result).status).toBe(1);
  expect(await readStatus(box, id)).toBeUndefined();
});

ours("delete --force ends a start that hangs in the image's own hook", async () => {
  const id = box.id();
  const bundle = box.bundle(["true"], (config) =>
    setHooks(config, {
      startContainer: [{ path: "/bin/sh", args: ["sh", "-c", "touch /tmp/reached; exec sleep 1000"] }],
    }),
  );
  await box.ok(["create", "--bundle", bundle.directory, id]);
  const start = box.start(["start", id]);
  await waitFor("the hook", () => existsSync(join(bundle.rootfs, "tmp/reached")));
  const began = Date.now();
  await box.ok(["delete", "--force", id]);
  expect(Date.now() - began).toBeLessThan(5_000);
  expect((await start.result).status).toBe(1);
  expect(await readStatus(box, id)).toBeUndefined();
});

ours(
  "delete --force ends another command that does not come to an end itself",
  async () => {
    const id = box.id();
    const pidFile = join(box.directory, `${id}.hook`);
    const bundle = box.bundle(["true"], (config) =>
      setHooks(config, { createRuntime: [sh(`echo $$ >${pidFile}; exec sleep 1000`)] }),
    );
    const create = box.start(["create", "--bundle", bundle.directory, id]);
    const hook = await waitFor("the hook", () =>
      existsSync(pidFile) ? Number(readFileSync(pidFile, "utf8")) || undefined : undefined,
    );
    const result = await box.ok(["delete", "--force", id]);
    expect(result.stderr).toContain("is killed");
    expect((await create.result).signal).toBe("SIGKILL");
    expect(await readStatus(box, id)).toBeUndefined();
    await waitFor("the hook's end", () => !existsSync(`/proc/${hook}`));
  },
  30_000,
);

test("run deletes its own container, and no later one with its id", async () => {
  const id = box.id();
  const bundle = box.bundle(["sleep", "1000"]);
  const first = box.start(["run", "--bundle", bundle.directory, id]);
  await waitFor("the first", async () => (await readStatus(box, id)) === "running");
  process.kill(first.child.pid as number, "SIGSTOP");
  await box.ok(["delete", "--force", id]);
  await box.ok(["run", "--detach", "--bundle", bundle.directory, id]);
  process.kill(first.child.pid as number, "SIGCONT");
  expect((await first.result).status).toBe(137);
  if (!isPeer) expect(await readStatus(box, id)).toBe("running");
  await box.run(["delete", "--force", id]);
});

for (const kind of ["createRuntime", "createContainer"] as const)
  test(`poststop hooks run after a ${kind} hook that fails`, async () => {
    const id = box.id();
    const stopped = join(box.directory, `${id}.stopped`);
    const bundle = box.bundle(["true"], (config) =>
      setHooks(config, { [kind]: [sh("exit 3")], poststop: [sh(`cat >${stopped}`)] }),
    );
    const result = await box.run(["create", "--bundle", bundle.directory, id]);
    expect(result.status).toBe(1);
    expect(result.stderr).toContain("exit status 3");
    expect(JSON.parse(readFileSync(stopped, "utf8"))).toMatchObject({ id, status: "stopped" });
  });

ours("a create that is overtaken leaves another one's container alone", async () => {
  const id = box.id();
  const { directory } = box.bundle(["true"]);
  // Between its mkdir and all that follows the directory is deleted, and made by another create: with the same number.
  const delay = ["-f", "-qq", "-o", "/dev/null", "-P", join(box.root, id), "-e", "trace=mkdir"];
  const inject = ["-e", "inject=mkdir:delay_exit=2000000:when=1"];
  const first = box.start(["create", "--bundle", directory, id], { prefix: ["strace", ...delay, ...inject] });
  await waitFor("the directory", () => existsSync(join(box.root, id)));
  await box.ok(["delete", "--force", id]);
  await box.ok(["create", "--bundle", directory, id]);
  const result = await first.result;
  expect(result.status).toBe(1);
  expect(result.stderr).toContain("container with given ID already exists");
  expect(await readStatus(box, id)).toBe("created");
  await box.ok(["delete", "--force", id]);
});
