// A create that is refused because its cgroup is another container's leaves that container alone.
import { expect, test } from "bun:test";
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
