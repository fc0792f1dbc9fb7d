// systemd as a container's first process: it gets a cgroup of its own to manage, nests all processes below it, and
// hands controllers down there.
import { expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { grantCapability } from "../e2e/config.ts";
import { openSandbox, readStatus, waitFor } from "../e2e/harness.ts";
import { cgroupDir, readCgroup } from "./cgroups.ts";

const box = openSandbox("vm-systemd-inside");
const SYSTEMD = "/lib/systemd/systemd";

test("systemd runs, delegates controllers, and exec, limits, pause and delete go on working", async () => {
  const id = box.id();
  const { directory } = box.bundle([SYSTEMD, "--show-status=no", "--log-target=console"], (config) => {
    config.linux.cgroupsPath = `/${id}`;
    config.linux.resources = { ...config.linux.resources, pids: { limit: 300 } };
    config.process.env = ["container=oci", "PATH=/usr/sbin:/usr/bin"];
    config.process.noNewPrivileges = false;
    grantCapability(config, "CAP_SYS_ADMIN", "CAP_SYS_RESOURCE", "CAP_DAC_READ_SEARCH", "CAP_AUDIT_CONTROL");
    const tmpfs = (destination: string): void => {
      config.mounts.push({ destination, type: "tmpfs", source: "tmpfs", options: ["mode=755"] });
    };
    config.mounts.push({
      destination: "/sys/fs/cgroup",
      type: "cgroup",
      source: "cgroup",
      options: ["rw", "nosuid", "nodev", "noexec"],
    });
    for (const place of ["/run", "/tmp", "/var", "/etc"]) tmpfs(place);
    config.mounts.push({ destination: "/usr", type: "none", source: "/usr", options: ["rbind", "ro"] });
    for (const name of ["lib", "lib64"])
      config.mounts.push({
        destination: `/${name}`,
        type: "none",
        source: `/usr/${name}`,
        options: ["rbind", "ro"],
      });
    config.mounts.push({
      destination: "/etc/systemd/system",
      type: "none",
      source: "units",
      options: ["bind", "ro"],
    });
  });
  // Its whole work: a service that runs until the end, with a limit that needs a controller.
  const units = join(directory, "units");
  mkdirSync(units);
  writeFileSync(join(units, "default.target"), "[Unit]\nWants=work.service\n");
  writeFileSync(
    join(units, "work.service"),
    "[Unit]\nDefaultDependencies=no\n[Service]\nExecStart=/usr/bin/sleep 1000\nTasksMax=7\nMemoryMax=33554432\n",
  );
  const started = await box.run(["run", "--detach", "--bundle", directory, id], { cwd: directory });
  expect(started.stderr).toBe("");
  const service = "system.slice/work.service";
  try {
    await waitFor(
      "the service",
      async () => {
        expect(await readStatus(box, id)).toBe("running");
        try {
          return readCgroup(id, `${service}/cgroup.procs`) !== "";
        } catch {
          return false;
        }
      },
      40_000,
    );
    expect(readCgroup(id, "cgroup.procs")).toBe("");
    expect(readCgroup(id, "cgroup.subtree_control").split(" ")).toContain("memory");
    expect(readCgroup(id, `${service}/memory.max`)).toBe("33554432");
    expect(readCgroup(id, `${service}/pids.max`)).toBe("7");
    // The container's own cgroup takes no process now: exec joins systemd's.
    const { stdout } = await box.ok(["exec", id, "/usr/bin/cat", "/proc/self/cgroup"]);
    expect(stdout).toBe("0::/init.scope\n");
    expect(JSON.parse((await box.ok(["ps", "--format", "json", id])).stdout).length).toBeGreaterThanOrEqual(
      2,
    );
    await box.ok(["update", "--pids-limit", "200", id]);
    expect(readCgroup(id, "pids.max")).toBe("200");
    await box.ok(["pause", id]);
    expect(readCgroup(id, `${service}/cgroup.events`)).toContain("frozen 1");
    await box.ok(["resume", id]);
  } finally {
    await box.ok(["delete", "--force", id]);
  }
  expect(() => readCgroup(id, "cgroup.procs")).toThrow(cgroupDir(id));
}, 120_000);
