// `update` and device rules on a v1 or hybrid host: a container keeps those that it was made with.
import { describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isPeer, openSandbox } from "./harness.ts";
import { isV1, openUpdates, ROOT } from "./update.ts";

const box = openSandbox("update-devices");
const { create, read, remove, file } = openUpdates(box);

const DENY_ALL = { allow: false, access: "rwm" };
const rule = (minor: number) => ({ allow: true, type: "c", major: 10, minor, access: "rwm" });

describe.skipIf(!isV1)("devices", () => {
  const devices = (id: string): string[] => read(id, "devices.list").split("\n").sort();

  test.each([
    ["the same", [DENY_ALL, rule(1)]],
    ["none", []],
    ["fewer and others", [DENY_ALL, rule(2)]],
    ["all", [{ allow: true, access: "rwm" }]],
  ])("%s: the rules stay, and those that another has set, and the rest is changed", async (what, rules) => {
    const id = await create({ devices: [DENY_ALL, rule(1)], pids: { limit: 9 } });
    // As a hook that gives the container a GPU.
    writeFileSync(`${ROOT}/devices/${id}/devices.allow`, "c 10:3 rwm");
    const before = devices(id);
    expect(before).toContain("c 10:3 rwm");
    const change = { pids: { limit: 10 }, devices: rules };
    const { stderr } = await box.ok(["update", "-r", file(JSON.stringify(change)), id]);
    expect(read(id, "pids.max")).toBe("10");
    expect(devices(id)).toEqual(before);
    if (!isPeer) {
      if (what === "the same") expect(stderr).toBe("");
      else expect(stderr).toContain("devices are not updated");
      const kept = JSON.parse(readFileSync(join(box.root, id, "resources.json"), "utf8")) as object;
      expect(kept).toMatchObject({ devices: [DENY_ALL, rule(1)] });
    }
    await remove(id);
  });

  test("nothing but rules is no change at all", async () => {
    const id = await create({ devices: [DENY_ALL, rule(1)] });
    const before = devices(id);
    await box.ok(["update", "-r", file(JSON.stringify({ devices: [DENY_ALL, rule(2)] })), id]);
    expect(devices(id)).toEqual(before);
    await remove(id);
  });
});
