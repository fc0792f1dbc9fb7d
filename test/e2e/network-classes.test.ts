// linux.resources.network: the controllers net_cls and net_prio of cgroup v1, which hardly a host has mounted any more:
// here each command sees them, and that of devices, in a mount namespace of its own.
import { afterAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { isPeer, openSandbox, waitFor } from "./harness.ts";

const box = openSandbox("network-classes");
const PLACE = "/sys/fs/cgroup/net_cls,net_prio";
const script = `umount --recursive --lazy /sys/fs/cgroup && mount -t tmpfs cgroup /sys/fs/cgroup &&
  for name in devices net_cls,net_prio; do
    mkdir /sys/fs/cgroup/$name && mount -t cgroup -o $name cgroup /sys/fs/cgroup/$name || exit
  done && exec "$@"`;
const prefix = ["unshare", "--mount", "--propagation=private", "sh", "-c", script, "sh"];
const isHierarchyThere = (): boolean =>
  readFileSync("/proc/self/cgroup", "utf8").includes(":net_cls,net_prio:");
const wasThere = isHierarchyThere();

/** False for a kernel without them, and where another has mounted them otherwise. */
const hasThem = Bun.spawnSync([...prefix, "true"], { stderr: "ignore" }).exitCode === 0;

const look = (command: string): string => {
  const { stdout, stderr } = Bun.spawnSync([...prefix, "sh", "-c", command]);
  return stdout.toString() + stderr.toString();
};

// A hierarchy whose last mount goes while a removed cgroup is not quite gone stays, in every process's /proc/PID/cgroup,
// until it is mounted once more and goes again: engines would look for its files.
afterAll(() =>
  wasThere
    ? undefined
    : waitFor("the hierarchy's end", async () => {
        if (isHierarchyThere()) look("true");
        await Bun.sleep(300); // it goes some time after its mount
        return !isHierarchyThere();
      }),
);

describe.skipIf(!hasThem || isPeer)("a container", () => {
  test("has its class and its priorities, after an update others, and nothing of it is left", async () => {
    const id = box.id();
    const bundle = box.bundle(["sleep", "1000"], (config) => {
      config.linux.cgroupsPath = `/${id}`;
      config.linux.resources = { network: { classID: 0x100001, priorities: [{ name: "lo", priority: 5 }] } };
    });
    await box.ok(["run", "--detach", "--bundle", bundle.directory, id], { prefix });
    const { pid } = JSON.parse((await box.ok(["state", id], { prefix })).stdout) as { pid: number };
    expect(look(`cat /proc/${pid}/cgroup`)).toContain(`:net_cls,net_prio:/${id}\n`);
    expect(look(`cat ${PLACE}/${id}/net_cls.classid`)).toBe("1048577\n");
    expect(look(`cat ${PLACE}/${id}/net_prio.ifpriomap`)).toMatch(/^lo 5$/m);
    const change = JSON.stringify({ network: { classID: 7, priorities: [{ name: "lo", priority: 2 }] } });
    await box.ok(["update", "--resources", "-", id], { prefix, stdin: change });
    expect(look(`cat ${PLACE}/${id}/net_cls.classid ${PLACE}/${id}/net_prio.ifpriomap`)).toMatch(
      /^7\n(?:.*\n)*lo 2$/m,
    );
    await box.ok(["delete", "--force", id], { prefix });
    expect(look(`ls ${PLACE}`)).not.toContain(id);
  });

  test("with an interface that is not there is refused, and leaves nothing", async () => {
    const id = box.id();
    const bundle = box.bundle(["true"], (config) => {
      config.linux.cgroupsPath = `/${id}`;
      config.linux.resources = { network: { priorities: [{ name: "nowhere0", priority: 5 }] } };
    });
    const result = await box.run(["create", "--bundle", bundle.directory, id], { prefix });
    expect(result.status).toBe(1);
    expect(result.stderr).toContain("linux.resources.network.priorities[0]");
    expect(look(`ls ${PLACE}`)).not.toContain(id);
  });
});
