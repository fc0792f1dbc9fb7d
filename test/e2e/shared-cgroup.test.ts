// A create that is refused because its cgroup is another container's leaves that container alone.
import { expect, test } from "bun:test";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isPeer, openSandbox, readStatus } from "./harness.ts";

const box = openSandbox("shared");

test.skipIf(isPeer)(
  "two containers with one cgroupsPath: the second is refused, the first lives on",
  async () => {
    const id = box.id();
    const place = (args: readonly string[]) =>
      box.bundle(args, (config) => {
        config.linux.cgroupsPath = `/${id}`;
      }).directory;
    await box.ok(["run", "--detach", "--bundle", place(["sleep", "100"]), id]);
    const second = box.id();
    const refused = await box.run(["create", "--bundle", place(["true"]), second]);
    expect(refused.status).toBe(1);
    expect(refused.stderr).toContain("container's cgroup is not empty: 1 process(es) found");
    expect(await readStatus(box, id)).toBe("running");
    expect(await readStatus(box, second)).toBeUndefined();
    await box.ok(["update", "--pids-limit", "20", id]);
    await box.ok(["delete", "--force", id]);
  },
);

test.skipIf(isPeer)(
  "what a create that was killed early has left does not stand for another's cgroup",
  async () => {
    const id = box.id();
    const directory = box.bundle(["sleep", "100"], (config) => {
      config.linux.cgroupsPath = `/${id}`;
    }).directory;
    await box.ok(["run", "--detach", "--bundle", directory, id]);
    // As a create of the same cgroup leaves it that is killed before it has looked at the cgroup.
    const killed = box.id();
    const own = JSON.parse(readFileSync(join(box.root, id, "state.json"), "utf8"));
    mkdirSync(join(box.root, killed), { mode: 0o700 });
    const record = { ...own, id: killed, phase: "creating", pid: 0, startTime: "0", ownsCgroup: false };
    writeFileSync(join(box.root, killed, "state.json"), JSON.stringify(record));
    expect((await box.run(["ps", "--format", "json", killed])).stdout).not.toContain(String(own.pid));
    await box.run(["kill", "--all", killed, "KILL"]);
    expect(await readStatus(box, id)).toBe("running");
    await box.ok(["delete", "--force", killed]);
    expect(await readStatus(box, killed)).toBeUndefined();
    expect(await readStatus(box, id)).toBe("running");
    await box.ok(["delete", "--force", id]);
  },
);
