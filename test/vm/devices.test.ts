// The device filter of cgroup2: an eBPF program that decides on every access.
import { describe, expect, test } from "bun:test";
import { grantCapability } from "../e2e/config.ts";
import { openSandbox, waitFor } from "../e2e/harness.ts";
import { cgroupDir, readCgroup, readDisk, withContainer } from "./cgroups.ts";
import { detachDeviceFilters } from "./device-filters.ts";

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

test("an update with rules leaves what others have made of the filter", async () => {
  const script = `mknod /disk b ${major} ${minor} && touch /ready; sleep 1000`;
  const devices = [DENY_ALL];
  await withContainer(
    box,
    ["sh", "-c", script],
    { devices, pids: { limit: 100 } },
    async (id) => {
      const isReady = async () => (await box.run(["exec", id, "test", "-e", "/ready"])).status === 0;
      await waitFor("its device", isReady);
      const read = () => box.run(["exec", id, "dd", "if=/disk", "of=/dev/null", "bs=512", "count=1"]);
      const update = (resources: object) =>
        box.ok(["update", "--resources", "-", id], { stdin: JSON.stringify(resources) });
      await update({ pids: { limit: 101 }, devices: [{ allow: true, access: "rwm" }] });
      expect((await read()).stderr).toContain("Operation not permitted");
      // As libnvidia-container, which puts another in its place.
      expect(detachDeviceFilters(cgroupDir(id))).toBe(1);
      expect((await read()).status).toBe(0);
      await update({ pids: { limit: 102 }, devices });
      expect(readCgroup(id, "pids.max")).toBe("102");
      expect((await read()).status).toBe(0);
      expect(detachDeviceFilters(cgroupDir(id))).toBe(0);
    },
    privileged,
  );
});
