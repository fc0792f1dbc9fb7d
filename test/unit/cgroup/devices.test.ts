import { describe, expect, test } from "bun:test";
import { assembleDeviceFilter } from "../../../src/cgroup/device-filter.ts";
import { planDeviceChanges } from "../../../src/cgroup/device-rules.ts";
import { planDevicesV1, planDevicesV2 } from "../../../src/cgroup/devices.ts";
import type { DeviceRule } from "../../../src/spec/resources.ts";
import { type Access, isAllowed } from "./bpf.ts";

const brief = (rules: readonly DeviceRule[]): string[] =>
  planDevicesV1(rules).map((w) => `${w.file.replace("devices.", "")} ${w.value}`);
const allow = (type: "a" | "b" | "c", major: bigint, minor: bigint, access = "rwm"): DeviceRule => ({
  allow: true,
  type,
  major,
  minor,
  access,
});
const DENY_ALL: DeviceRule = { allow: false, access: "rwm" };
const ALLOW_ALL: DeviceRule = { allow: true, access: "rwm" };
const DEFAULTS = [
  "allow c *:* m",
  "allow b *:* m",
  "allow c 1:3 rwm",
  "allow c 1:8 rwm",
  "allow c 1:7 rwm",
  "allow c 5:0 rwm",
  "allow c 1:5 rwm",
  "allow c 1:9 rwm",
  "allow c 136:* rwm",
  "allow c 5:2 rwm",
  "allow c 10:200 rwm",
];

describe("the v1 device list", () => {
  test("without rules: nothing but the defaults", () => {
    expect(brief([])).toEqual(["deny a", ...DEFAULTS]);
    expect(planDevicesV1([])[0]?.why).toBe("linux.resources.devices");
    expect(planDevicesV1([])[3]?.why).toBe("default device /dev/null");
  });

  test("deny all, the config's rules in their order, the defaults", () => {
    const rules = [DENY_ALL, allow("c", 10n, 229n), allow("b", 8n, 20n, "rw"), allow("b", 10n, -1n, "r")];
    expect(brief(rules)).toEqual([
      "deny a",
      "allow c 10:229 rwm",
      "allow b 8:20 rw",
      "allow b 10:* r",
      ...DEFAULTS,
    ]);
    const whys = planDevicesV1(rules).map((w) => w.why);
    expect(whys.slice(0, 3)).toEqual([0, 1, 2].map((i) => `linux.resources.devices[${i}]`));
  });

  test("a default that the config has already is not written twice, one that it has in part is", () => {
    const rules = [DENY_ALL, allow("c", 1n, 5n), allow("c", 1n, 3n, "r")];
    expect(brief(rules)).toEqual([
      "deny a",
      "allow c 1:5 rwm",
      "allow c 1:3 r",
      ...DEFAULTS.filter((line) => line !== "allow c 1:5 rwm"),
    ]);
  });

  test("everything allowed (privileged): the defaults add nothing", () => {
    expect(brief([ALLOW_ALL])).toEqual(["deny a", "allow a"]);
    expect(brief([DENY_ALL, ALLOW_ALL])).toEqual(["deny a", "allow a"]);
    expect(brief([ALLOW_ALL, { allow: false, type: "b", major: 8n, minor: 0n, access: "w" }])).toEqual([
      "deny a",
      "allow a",
      "deny b 8:0 w",
    ]);
  });

  test("a rule for all types but not all devices is not widened to everything", () => {
    expect(brief([allow("a", 7n, 1n, "r")]).slice(0, 3)).toEqual([
      "deny a",
      "allow c 7:1 r",
      "allow b 7:1 r",
    ]);
    expect(brief([{ allow: true, access: "r" }]).slice(0, 3)).toEqual([
      "deny a",
      "allow c *:* r",
      "allow b *:* r",
    ]);
  });

  test("taking a device out of a broader rule is refused, since the kernel would not do it", () => {
    const hole: DeviceRule = { allow: false, type: "c", major: 7n, minor: 1n, access: "w" };
    for (const broad of [allow("c", 7n, -1n), allow("c", -1n, 1n), allow("c", -1n, -1n, "w")]) {
      expect(() => brief([broad, hole])).toThrow(
        "linux.resources.devices[1]: cannot take c 7:1 w out of the broader rule c ",
      );
    }
    expect(brief([allow("c", 7n, -1n, "r"), hole])).toContain("allow c 7:* r");
    expect(brief([allow("c", 7n, 1n), hole])).toContain("deny c 7:1 w");
    // The defaults may be what makes the hole.
    const deny: DeviceRule = { allow: false, type: "c", major: 1n, minor: -1n, access: "r" };
    expect(() => brief([ALLOW_ALL, deny])).toThrow("default device /dev/null: cannot take c 1:3 rwm out of");
  });

  test("rules that say nothing useful", () => {
    expect(() => brief([{ allow: true }])).toThrow("linux.resources.devices[0].access: must not be empty");
    expect(() => brief([{ allow: true, access: "rx" }])).toThrow(
      'linux.resources.devices[0].access: must consist of r, w and m, not "rx"',
    );
    expect(() => brief([allow("c", 4294967296n, 0n)])).toThrow(
      "linux.resources.devices[0].major: must be at most 4294967295, not 4294967296",
    );
    expect(() => brief([allow("c", 1n, -2n)])).toThrow("linux.resources.devices[0].minor: must be");
  });
});

describe("the v2 device filter", () => {
  const asks = (rules: readonly DeviceRule[], access: Access): boolean => {
    const filter = planDevicesV2(rules, "/sys/fs/cgroup/web");
    return filter === undefined || isAllowed(filter.program, access);
  };

  test("the defaults", () => {
    const table: [Access, boolean][] = [
      ["c 1:3 rw", true],
      ["c 1:3 m", true],
      ["c 136:77 rw", true],
      ["c 1:1 r", false],
      ["c 1:1 m", true],
      ["b 8:0 m", true],
      ["b 8:0 r", false],
      ["b 8:0 rm", false],
      ["b 1:3 r", false],
      ["c 10:200 w", true],
    ];
    for (const [access, answer] of table)
      expect([access, asks([DENY_ALL], access)]).toEqual([access, answer]);
  });

  test("rules of the config", () => {
    const rules = [allow("b", 8n, -1n, "r"), allow("c", -1n, 4294967295n, "rw"), allow("c", 1n, 3n, "r")];
    const table: [Access, boolean][] = [
      ["b 8:3 r", true],
      ["b 8:3 rw", false],
      ["b 9:3 r", false],
      ["c 77:4294967295 rw", true],
      ["c 77:4294967294 r", false],
      ["c 1:3 rwm", true],
    ];
    for (const [access, answer] of table) expect([access, asks(rules, access)]).toEqual([access, answer]);
  });

  test("exceptions from everything: one denied kind of access denies the whole", () => {
    const rules: DeviceRule[] = [ALLOW_ALL, { allow: false, type: "b", major: 8n, minor: 0n, access: "w" }];
    const table: [Access, boolean][] = [
      ["b 8:0 r", true],
      ["b 8:0 w", false],
      ["b 8:0 rw", false],
      ["b 8:1 rw", true],
      ["c 8:0 w", true],
    ];
    for (const [access, answer] of table) expect([access, asks(rules, access)]).toEqual([access, answer]);
  });

  test("none is needed where everything is allowed", () => {
    expect(planDevicesV2([ALLOW_ALL], "/x")).toBeUndefined();
  });

  test("agrees with the v1 controller's own decision on random rules", () => {
    let seed = 1;
    const random = (n: number): number => {
      seed = (seed * 1103515245 + 12345) % 0x80000000;
      return Math.floor((seed / 0x80000000) * n);
    };
    const letters = ["r", "w", "m", "rw", "rm", "wm", "rwm"];
    for (let round = 0; round < 300; round++) {
      const rules: DeviceRule[] = round % 2 === 0 ? [ALLOW_ALL] : [];
      for (let i = random(5); i >= 0; i--) {
        rules.push({
          allow: round % 2 === 1,
          type: (["b", "c"] as const)[random(2)],
          major: BigInt(random(4) + 20),
          minor: BigInt(random(4) - 1),
          access: letters[random(7)],
        });
      }
      const { access } = planDeviceChanges(rules);
      const program = assembleDeviceFilter(access);
      for (let i = 0; i < 40; i++) {
        const asked: Access = `${random(2) ? "b" : "c"} ${random(4) + 20}:${random(3)} ${letters[random(7)] ?? "r"}`;
        expect([rules, asked, isAllowed(program, asked)]).toEqual([rules, asked, decideV1(access, asked)]);
      }
    }
  });
});

/** devcgroup_check_permission of the kernel's security/device_cgroup.c, in a few words. */
function decideV1(access: ReturnType<typeof planDeviceChanges>["access"], asked: Access): boolean {
  const [type, numbers, letters] = asked.split(" ") as [string, string, string];
  const [major, minor] = numbers.split(":").map(BigInt);
  const bits = [...letters].reduce((sum, letter) => sum | { m: 1, r: 2, w: 4 }[letter as "m"], 0);
  const same = access.exceptions.filter(
    (e) => e.type === type && [major, -1n].includes(e.major) && [minor, -1n].includes(e.minor),
  );
  if (access.allowsByDefault) return !same.some((e) => (e.access & bits) !== 0);
  return same.some((e) => (bits & ~e.access) === 0);
}
