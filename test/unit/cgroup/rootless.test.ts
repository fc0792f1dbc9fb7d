import { expect, test } from "bun:test";
import { planCgroup } from "../../../src/cgroup/plan.ts";
import { leaveDevices } from "../../../src/cgroup/rootless.ts";
import { innerPath } from "../../../src/cgroup/self-join.ts";
import { hybrid, v2 } from "./hosts.ts";

const request = {
  id: "web",
  cgroupsPath: "/app.slice/web.service/payload",
  resources: { devices: [{ allow: false, access: "rwm" }], pids: { limit: 7n } },
};

test("without device rules, all else of a plan stays", () => {
  for (const [layout, file] of [
    [v2, "pids.max"],
    [hybrid, "pids.max"],
  ] as const) {
    const whole = planCgroup(layout, request);
    const plan = leaveDevices(whole);
    expect(plan.deviceFilter).toBeUndefined();
    expect([...plan.writes, ...plan.lateWrites].map((write) => write.file)).toEqual([file]);
    expect(plan.record).toEqual(whole.record);
  }
  expect(planCgroup(v2, request).deviceFilter).toBeDefined();
  expect(planCgroup(hybrid, request).writes.map(({ hierarchy }) => hierarchy)).toContain("devices");
});

test("the path from the container's cgroup to the one that a process joins", () => {
  const unified = "/sys/fs/cgroup/user.slice/web.scope";
  const record = { driver: "systemd", mode: "v2", paths: { unified } } as const;
  const inner = (cloneInto?: string): string =>
    innerPath(record, cloneInto === undefined ? { taskFiles: [] } : { taskFiles: [], cloneInto });
  expect(inner()).toBe("/");
  expect(inner(unified)).toBe("/");
  expect(inner(`${unified}/init.scope`)).toBe("/init.scope");
  expect(inner(`${unified}x/init.scope`)).toBe("/");
});
