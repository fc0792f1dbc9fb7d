// The device filter of cgroup2: an eBPF program that decides on every access.
import { describe, expect, test } from "bun:test";
import { grantCapability } from "../e2e/config.ts";
import { openSandbox, waitFor } from "../e2e/harness.ts";
import { readDisk, withContainer } from "./cgroups.ts";

const box = openSandbox("vm-devices");
const { major, minor } = readDisk();

const DENY_ALL = { allow: false, access: "rwm" };
/** Root in the container with every right but those that the filter takes. */
const privileged = (config: Parameters<typeof grantCapability>[0]): void =>
  grantCapability(config, "CAP_SYS_ADMIN", "CAP_MKNOD", "CAP_SYS_RAWIO");

/** Runs a script in a container with these device rules, where /disk is the guest's own disk. */
async function look(devices: readonly object[], script: string): Promise<string> {
  const make = `mknod /disk b ${major} ${minor} && `;
  const result = await box.look(["sh", "-c", make + script], (config) => {
    config.linux.resources = { devices };
    privileged(config);
  });
  return result.stdout + result.stderr;
}

describe("the guest's disk in the container", () => {
  const read = "dd if=/disk of=/dev/null bs=512 count=1 2>&1 | tail -n 1";
  const write = "dd if=/dev/null of=/disk bs=512 count=0 2>&1 | head -n 1";

  test("cannot be opened unless a rule allows it", async () => {
    const output = await look([DENY_ALL], `${read}; ${write}`);
    expect(output.match(/Operation not permitted/g)).toHaveLength(2);
  });

  test("can be read with r, and not written", async () => {
    const rule = { allow: true, type: "b", major, minor, access: "r" };
    expect(await look([DENY_ALL, rule], read)).toContain("1+0 records");
    expect(await look([DENY_ALL, rule], write)).toContain("Operation not permitted");
  });

  test("is meant by a rule for all minors, not by one for another major or type", async () => {
    const all = { allow: true, type: "b", major, access: "r" };
    const other = { allow: true, type: "b", major: major + 1, access: "r" };
    const char = { allow: true, type: "c", major, minor, access: "r" };
    expect(await look([DENY_ALL, all], read)).toContain("1+0 records");
    expect(await look([DENY_ALL, other, char], read)).toContain("Operation not permitted");
  });

  test("can be taken back by a later rule", async () => {
    const give = { allow: true, access: "rwm" };
    const take = { allow: false, type: "b", major, minor, access: "rw" };
    expect(await look([give, take], read)).toContain("Operation not permitted");
    expect(await look([give], read)).toContain("1+0 records");
  });
});

test("the devices that every container has can be used", async () => {
  const script =
    "echo x >/dev/null && head -c 4 /dev/zero | wc -c && head -c 4 /dev/urandom | wc -c && : </dev/full";
  const result = await box.look(["sh", "-c", script]);
  expect(result).toMatchObject({ status: 0, stdout: "4\n4\n", stderr: "" });
});

test("an update of which systemd refuses a property leaves the old filter", async () => {
  const id = box.id();
  const bundle = box.bundle(["sh", "-c", `mknod /disk b ${major} ${minor}; sleep 1000`], (config) => {
    config.linux.cgroupsPath = `system.slice:tsrunc:${id}`;
    config.linux.resources = { devices: [DENY_ALL, { allow: true, type: "b", major, minor, access: "rm" }] };
    privileged(config);
  });
  await box.ok(["--systemd-cgroup", "run", "--detach", "--bundle", bundle.directory, id]);
  const read = () => box.run(["exec", id, "dd", "if=/disk", "of=/dev/null", "bs=512", "count=1"]);
  await waitFor("the device", async () => (await box.run(["exec", id, "test", "-e", "/disk"])).status === 0);
  const update = (resources: object) =>
    box.run(["update", "--resources", "-", id], { stdin: JSON.stringify(resources) });
  // The kernel takes a memory.high of 0, systemd does not.
  const refused = await update({ devices: [DENY_ALL], unified: { "memory.high": "0" } });
  expect(refused.status).toBe(1);
  expect(refused.stderr).toContain("MemoryHigh");
  expect((await read()).status).toBe(0);
  expect(await update({ devices: [DENY_ALL] })).toMatchObject({ status: 0, stderr: "" });
  expect((await read()).stderr).toContain("Operation not permitted");
  await box.ok(["delete", "--force", id]);
});

test("200 updates leave no moment in which the disk can be read", async () => {
  // Tries until it is told to stop, a minute at most, and counts what it could open.
  const script = `{ mknod /disk b ${major} ${minor} || exit 1; touch /ready; i=0
    while [ ! -e /stop ] && [ $i -lt 200000 ]; do i=$((i+1)); { true </disk; } 2>/dev/null && echo leak; done
    echo tried $i; } >/result`;
  const devices = [DENY_ALL];
  await withContainer(
    box,
    ["sh", "-c", `${script}; sleep 1000`],
    { devices, pids: { limit: 100 } },
    async (id) => {
      await waitFor(
        "its device",
        async () => (await box.run(["exec", id, "test", "-e", "/ready"])).status === 0,
      );
      for (let i = 0; i < 200; i++) {
        const resources = JSON.stringify({ pids: { limit: 100 + i }, devices });
        await box.ok(["update", "--resources", "-", id], { stdin: resources });
      }
      await box.ok(["exec", id, "touch", "/stop"]);
      const result = await waitFor(
        "the result",
        async () => {
          const { stdout } = await box.run(["exec", id, "cat", "/result"]);
          return stdout.includes("tried") ? stdout : undefined;
        },
        60_000,
      );
      expect(result).toMatch(/^tried [1-9][0-9]{2,}\n$/);
    },
    privileged,
  );
}, 180_000);
