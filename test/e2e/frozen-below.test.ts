// A container that freezes cgroups that it has made below its own: it can be killed and deleted, and its status is
// what pause and resume have made of it.
import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type Config, grantCapability } from "./config.ts";
import { isPeer, openSandbox, readStatus, waitFor } from "./harness.ts";

const box = openSandbox("frozen");

/** A writable view of the container's own cgroups. */
function giveCgroups(config: Config): void {
  config.mounts.push({ destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup", options: ["rw"] });
  config.mounts.push({ destination: "/cgroup2", type: "cgroup2", source: "cgroup2" });
  for (const name of ["CAP_SYS_ADMIN", "CAP_DAC_OVERRIDE"]) grantCapability(config, name);
}

/** What a frozen cgroup's file has in it, as seen from the host. */
const isFrozen = (dir: string): boolean =>
  /^(FROZEN|frozen 1)$/m.test(
    ["freezer.state", "cgroup.events"]
      .map((name) => join(dir, name))
      .filter((path) => existsSync(path))
      .map((path) => readFileSync(path, "utf8"))
      .join(""),
  );

const hierarchies = [
  {
    title: "v1 freezer",
    key: "freezer",
    place: "/sys/fs/cgroup/freezer",
    freeze: "FROZEN >$x/freezer.state",
  },
  { title: "cgroup2", key: "unified", place: "/cgroup2", freeze: "1 >$x/cgroup.freeze" },
].filter(({ key, place }) =>
  key === "freezer" ? existsSync(place) : /^\S+ \S+ cgroup2 /m.test(readFileSync("/proc/mounts", "utf8")),
);

for (const { title, key, place, freeze } of hierarchies) {
  const enter = "echo $$ >$x/cgroup.procs";
  const scripts = {
    "its first process": `${enter}; echo ${freeze}`,
    "a child": `sleep 1000 & echo $! >$x/cgroup.procs; echo ${freeze}; wait`,
    "its first process again and again": `while :; do echo ${freeze}; done & ${enter}; wait`,
  };

  async function withFrozen(script: string, use: (id: string, dir: string) => Promise<void>): Promise<void> {
    const id = box.id();
    const made = box.bundle(["sh", "-c", `x=${place}/x; mkdir $x; ${script}`], giveCgroups);
    await box.ok(["run", "--detach", "--bundle", made.directory, id]);
    const record = JSON.parse(readFileSync(join(box.root, id, "state.json"), "utf8"));
    const dir = record.cgroup.paths[key] as string;
    try {
      await waitFor("the frozen cgroup", () => isFrozen(`${dir}/x`));
      await use(id, dir);
    } finally {
      await box.ok(["delete", "--force", id]);
    }
  }

  describe.skipIf(isPeer)(`${title}: a container that freezes`, () => {
    for (const [frozen, script] of Object.entries(scripts)) {
      for (const command of ["kill", "kill --all"])
        test(`${frozen} dies of ${command} KILL`, () =>
          withFrozen(script, async (id) => {
            expect(await readStatus(box, id)).toBe("running");
            await box.ok([...command.split(" "), id, "KILL"]);
            await waitFor("its end", async () => (await readStatus(box, id)) === "stopped");
          }));
      test(`${frozen} is deleted by force`, () =>
        withFrozen(script, async (id) => {
          const began = Date.now();
          await box.ok(["delete", "--force", id]);
          expect(Date.now() - began).toBeLessThan(5000);
          expect(await readStatus(box, id)).toBeUndefined();
        }));
    }
    test("a child is paused and resumed, and what it has frozen stays frozen", () =>
      withFrozen(scripts["a child"], async (id, dir) => {
        await box.ok(["pause", id]);
        expect(await readStatus(box, id)).toBe("paused");
        await box.ok(["kill", "--all", id, "WINCH"]);
        expect(await readStatus(box, id)).toBe("paused");
        await box.ok(["resume", id]);
        expect(await readStatus(box, id)).toBe("running");
        expect(isFrozen(`${dir}/x`)).toBe(true);
        await box.ok(["pause", id]);
        await box.ok(["kill", id, "KILL"]);
        await waitFor("its end", async () => (await readStatus(box, id)) === "stopped");
      }));
  });
}
