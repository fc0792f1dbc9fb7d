// The container's cgroup: limits, and cgroupsPath.
import { describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { grantCapability } from "./config.ts";
import { isPeer, openSandbox } from "./harness.ts";

const box = openSandbox("cgroup");
const ours = test.skipIf(isPeer);

/** On v1 a hierarchy of its own. */
const pidsHierarchy = existsSync("/sys/fs/cgroup/pids") ? "/sys/fs/cgroup/pids" : "/sys/fs/cgroup";

describe("resources", () => {
  test.skipIf(!existsSync("/sys/fs/cgroup/pids"))(
    "pids, memory and cpu limits are in the container's cgroup",
    async () => {
      const script =
        "cat /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/cpu/cpu.shares /sys/fs/cgroup/cpu/cpu.cfs_quota_us /sys/fs/cgroup/cpu/cpu.cfs_period_us";
      const result = await box.look(["sh", "-c", script], (config) => {
        config.mounts.push({
          destination: "/sys/fs/cgroup",
          type: "cgroup",
          source: "cgroup",
          options: ["ro"],
        });
        Object.assign(config.linux.resources ?? {}, {
          pids: { limit: 33 },
          memory: { limit: 67108864 },
          cpu: { shares: 512, quota: 20000, period: 50000 },
        });
      });
      expect(result.stderr).toBe("");
      expect(result.stdout).toBe("33\n67108864\n512\n20000\n50000\n");
    },
  );
  test("pids.limit holds", async () => {
    const result = await box.look(
      ["sh", "-c", "for i in 1 2 3 4 5 6 7 8 9; do sleep 1 & done; wait"],
      (config) => {
        Object.assign(config.linux.resources ?? {}, { pids: { limit: 5 } });
      },
    );
    expect(result.stderr).toMatch(/can't fork|Resource temporarily unavailable/);
  });
  for (const [title, path] of [
    ["absolute", "/ID"],
    ["nested", "/ID/a/b"],
    ["relative", "ID/rel"],
  ] as const) {
    test(`cgroupsPath, ${title}, is used and removed`, async () => {
      const id = box.id();
      const bundle = box.bundle(["sleep", "100"], (config) => {
        config.linux.cgroupsPath = path.replace("ID", id);
      });
      await box.ok(["create", "--bundle", bundle.directory, id]);
      const { pid } = JSON.parse((await box.ok(["state", id])).stdout) as { pid: number };
      const cgroup = readFileSync(`/proc/${pid}/cgroup`, "utf8");
      expect(cgroup).toMatch(
        new RegExp(`(:devices:|^0::)(/.*)?${path.replace("ID", id).replace(/^(?!\/)/, "/")}$`, "m"),
      );
      await box.ok(["delete", "--force", id]);
      // The parents that the path named stay, as with runc: they may be another container's too.
      expect(existsSync(`${pidsHierarchy}/${path.replace("ID", id)}`)).toBe(false);
      Bun.spawnSync(["sh", "-c", `find /sys/fs/cgroup -depth -type d -path '*${id}*' -exec rmdir {} \\;`]);
    });
  }
  test("a cgroupsPath with .. stays below the root of the hierarchy", async () => {
    const id = box.id();
    const bundle = box.bundle(["sleep", "100"], (config) => {
      config.linux.cgroupsPath = `../../../${id}`;
      grantCapability(config, "CAP_NET_ADMIN");
    });
    const result = await box.run(["create", "--bundle", bundle.directory, id]);
    if (result.status === 0) {
      const { pid } = JSON.parse((await box.ok(["state", id])).stdout) as { pid: number };
      expect(readFileSync(`/proc/${pid}/cgroup`, "utf8")).not.toMatch(/\.\./);
      await box.ok(["delete", "--force", id]);
    }
  });
  ours("a cgroup that has a process in it already is refused", async () => {
    const id = box.id();
    const group = `${pidsHierarchy}/${id}`;
    mkdirSync(group);
    const holder = Bun.spawn(["sleep", "100"]);
    writeFileSync(join(group, "cgroup.procs"), String(holder.pid));
    const bundle = box.bundle(["true"], (config) => {
      config.linux.cgroupsPath = `/${id}`;
    });
    const result = await box.run(["run", "--bundle", bundle.directory, id]);
    expect(result.status).toBe(1);
    expect(result.stderr).toMatch(/cgroup is not empty: 1 process/);
    expect(holder.exitCode).toBe(null);
    holder.kill("SIGKILL");
    await holder.exited;
    Bun.spawnSync(["rmdir", group]);
  });
});
