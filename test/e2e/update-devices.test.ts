// `update` of device rules on a v1 or hybrid host.
import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync, rmdirSync, writeFileSync } from "node:fs";
import { isPeer, openSandbox } from "./harness.ts";
import { isV1, openUpdates, ROOT } from "./update.ts";

const box = openSandbox("update-devices");
const { create, read, remove, file } = openUpdates(box);

describe.skipIf(!isV1 || isPeer)("devices", () => {
  const devices = (id: string): string[] => read(id, "devices.list").split("\n");
  const rule = (minor: number, access = "rwm") => ({ allow: true, type: "c", major: 10, minor, access });
  const update = (id: string, rules: unknown[]) =>
    box.ok(["update", "-r", file(JSON.stringify({ devices: rules })), id]);

  test("rules come and go, and the others stay all the time", async () => {
    const deny = { allow: false, access: "rwm" };
    const id = await create({ devices: [deny, rule(1), rule(2)] });
    const before = devices(id);
    await update(id, [deny, rule(2, "r"), rule(3)]);
    expect(devices(id).sort()).toEqual(
      [...before.filter((line) => !/ 10:[12] /.test(line)), "c 10:2 r", "c 10:3 rwm"].sort(),
    );
    await update(id, [{ allow: true, access: "rwm" }]);
    expect(devices(id)).toEqual(["a *:* rwm"]);
    await update(id, [deny, rule(1), rule(2)]);
    expect(devices(id).sort()).toEqual(before.sort());
    expect(read(id, "freezer.state")).toBe("THAWED");
    await remove(id);
  });

  test("what the kernel refuses leaves the other resources and the other rules as they were", async () => {
    const deny = { allow: false, access: "rwm" };
    const parent = box.id();
    const id = await create({ devices: [deny, rule(1)], pids: { limit: 9 } }, undefined, `/${parent}/c`);
    // A group may not have what the one above it has not.
    writeFileSync(`${ROOT}/devices/${parent}/devices.deny`, "c 10:3 rwm");
    const before = devices(`${parent}/c`);
    const change = { pids: { limit: 10 }, devices: [deny, rule(2), rule(3)] };
    const result = await box.run(["update", "-r", file(JSON.stringify(change)), id]);
    expect(result).toMatchObject({ status: 1 });
    expect(result.stderr).toContain("operation not permitted");
    expect(read(`${parent}/c`, "pids.max")).toBe("9");
    expect(devices(`${parent}/c`).sort()).toEqual(before.sort());
    expect(read(`${parent}/c`, "freezer.state")).toBe("THAWED");
    await remove(id);
    for (const name of readdirSync(ROOT))
      if (existsSync(`${ROOT}/${name}/${parent}`)) rmdirSync(`${ROOT}/${name}/${parent}`);
  });
});
