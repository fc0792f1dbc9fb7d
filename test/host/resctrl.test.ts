// linux.intelRdt on a directory that looks like resctrl: groups.
import { describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describeResctrlStats } from "../../src/container/event-stats.ts";
import { parseMountInfo } from "../../src/host/probe.ts";
import {
  createResctrl,
  describeResctrl,
  findResctrl,
  hasSchema,
  joinAllResctrl,
  joinResctrl,
  planResctrl,
  removeResctrl,
} from "../../src/host/resctrl.ts";
import { readResctrlStats } from "../../src/host/resctrl-stats.ts";
import type { IntelRdt } from "../../src/spec/config.ts";
import { emptyGroup, openResctrlFolder, read } from "./resctrl.ts";

const { makeTree } = openResctrlFolder();

/** A group that somebody has made before. */
function makeGroup(root: string, name: string, schemata: string): string {
  mkdirSync(join(root, name, "mon_groups"), { recursive: true });
  writeFileSync(join(root, name, "schemata"), schemata);
  return join(root, name);
}

test("resctrl is found by its type, mounted as a whole", () => {
  const line = (type: string, root: string, point: string) =>
    `30 24 0:26 ${root} ${point} rw - ${type} ${type} rw\n`;
  const mounts =
    line("sysfs", "/", "/sys") +
    line("resctrl", "/mon_groups", "/mnt") +
    line("resctrl", "/", "/sys/fs/resctrl");
  expect(findResctrl(parseMountInfo(mounts))).toBe("/sys/fs/resctrl");
  expect(findResctrl(parseMountInfo(line("sysfs", "/", "/sys")))).toBeUndefined();
  expect(() => planResctrl({}, "a", undefined)).toThrow("linux.intelRdt: no resctrl file system is mounted");
});

describe("a group of the container's own", () => {
  test("is made with l3CacheSchema, memBwSchema and schemata in this order, and goes", () => {
    const root = makeTree();
    const rdt: IntelRdt = {
      schemata: ["L2:0=f", "L3:0=1"],
      memBwSchema: "MB:0=20",
      l3CacheSchema: "L3:0=7f",
    };
    const plan = planResctrl(rdt, "id", root);
    expect(plan.record).toEqual({ root, group: join(root, "id"), removesGroup: true, monitor: undefined });
    createResctrl(plan);
    joinResctrl(plan.record, 42);
    expect(read(root, "id/schemata")).toBe("L3:0=7f\nMB:0=20\nL2:0=f\nL3:0=1\n");
    expect(read(root, "id/tasks")).toBe("42");
    emptyGroup(plan.record.group);
    removeResctrl(plan.record);
    expect(existsSync(join(root, "id"))).toBe(false);
    removeResctrl(plan.record); // once more does no harm
    expect(describeResctrl(plan)).toEqual([
      `mkdir("${root}/id")  # linux.intelRdt`,
      `write("${root}/id/schemata", "L3:0=7f\\nMB:0=20\\nL2:0=f\\nL3:0=1")  # linux.intelRdt`,
    ]);
  });

  test("lines of l3CacheSchema are written one by one, but for those of memory bandwidth", () => {
    const root = makeTree();
    createResctrl(
      planResctrl({ l3CacheSchema: "L3CODE:0=f\nMB:0=10\nL3DATA:0=3", memBwSchema: "MB:0=20" }, "id", root),
    );
    expect(read(root, "id/schemata")).toBe("L3CODE:0=f\nL3DATA:0=3\nMB:0=20\n");
  });

  test("without schemas no schemata are written; one that is there already stays", () => {
    const root = makeTree();
    createResctrl(planResctrl({}, "id", root));
    expect(existsSync(join(root, "id/schemata"))).toBe(false);
    const again = planResctrl({}, "id", root);
    createResctrl(again);
    removeResctrl(again.record);
    expect(existsSync(join(root, "id"))).toBe(true);
  });
});

describe("a group by closID", () => {
  test("that is there is used, and stays", () => {
    const root = makeTree();
    const group = makeGroup(root, "gold", "    L3:0=7f0;1=01f\n");
    const plan = planResctrl({ closID: "gold", l3CacheSchema: "L3:1=1f;0=7F0" }, "id", root);
    createResctrl(plan)();
    joinResctrl(plan.record, 7);
    removeResctrl(plan.record);
    expect(read(group, "schemata")).toBe("    L3:0=7f0;1=01f\n");
    expect(read(group, "tasks")).toBe("7");
  });

  test("with another schema is an error that has both", () => {
    const root = makeTree();
    const group = makeGroup(root, "gold", "    L3:0=7f0;1=01f\n    MB:0=50\n");
    for (const [rdt, text] of [
      [
        { l3CacheSchema: "L3:0=7ff" },
        `linux.intelRdt.l3CacheSchema: the group ${group} has another schema: "L3:0=7f0;1=01f", not "L3:0=7ff"`,
      ],
      [
        { memBwSchema: "MB:0=60" },
        `linux.intelRdt.memBwSchema: the group ${group} has another schema: "MB:0=50", not "MB:0=60"`,
      ],
    ] as const)
      expect(() => createResctrl(planResctrl({ closID: "gold", ...rdt }, "id", root))).toThrow(text);
  });

  test("gets schemata all the same", () => {
    const root = makeTree();
    const group = makeGroup(root, "gold", "L3:0=1\n");
    createResctrl(planResctrl({ closID: "gold", schemata: ["L3:0=3"] }, "id", root));
    expect(read(group, "schemata")).toBe("L3:0=3\n");
  });

  test("that is not there is made with a schema, and stays; without one it is an error", () => {
    const root = makeTree();
    const plan = planResctrl({ closID: "new", memBwSchema: "MB:0=20" }, "id", root);
    createResctrl(plan);
    expect(read(root, "new/schemata")).toBe("MB:0=20\n");
    removeResctrl(plan.record);
    expect(existsSync(join(root, "new"))).toBe(true);
    expect(() => planResctrl({ closID: "other" }, "id", root)).toThrow(
      "linux.intelRdt.closID: there is no group",
    );
  });

  test("/ is the root", () => {
    const root = makeTree();
    const plan = planResctrl({ closID: "/", enableMonitoring: true }, "id", root);
    createResctrl(plan);
    joinResctrl(plan.record, 3);
    expect([read(root, "tasks"), read(root, "mon_groups/id/tasks")]).toEqual(["3", "3"]);
    emptyGroup(plan.record.monitor);
    removeResctrl(plan.record);
    expect(existsSync(join(root, "mon_groups/id"))).toBe(false);
    expect(existsSync(root)).toBe(true);
  });
});

describe("what fails", () => {
  test("leaves nothing, and has the kernel's own words", () => {
    const root = makeTree();
    writeFileSync(join(root, "info/last_cmd_status"), "mask f0f has non-consecutive 1-bits\n");
    const group = makeGroup(root, "gold", "");
    rmSync(join(group, "schemata"));
    mkdirSync(join(group, "schemata"));
    expect(() => createResctrl(planResctrl({ closID: "gold", schemata: ["L3:0=f0f"] }, "id", root))).toThrow(
      `linux.intelRdt: write("${group}/schemata", "L3:0=f0f\\n"): is a directory (mask f0f has non-consecutive 1-bits)`,
    );
  });

  test("a monitoring group of the same name is another container's", () => {
    const root = makeTree();
    mkdirSync(join(root, "mon_groups/id"));
    expect(() => createResctrl(planResctrl({ closID: "/", enableMonitoring: true }, "id", root))).toThrow(
      `linux.intelRdt: mkdir("${root}/mon_groups/id"): file exists`,
    );
  });

  test("no monitoring: the group that was made for it goes", () => {
    const root = makeTree();
    // A new group of this tree has no mon_groups, as with a processor that cannot monitor.
    expect(() => createResctrl(planResctrl({ enableMonitoring: true }, "id", root))).toThrow("no such file");
    expect(existsSync(join(root, "id"))).toBe(false);
  });
});

describe("joining all processes of a list", () => {
  test("those that come meanwhile are joined too, and each only once", () => {
    const root = makeTree();
    const { record } = planResctrl({}, "id", root);
    mkdirSync(record.group);
    const joined: string[] = [];
    const lists = [[5], [5, 6], [6]];
    joinAllResctrl(record, () => {
      if (existsSync(join(record.group, "tasks"))) joined.push(read(record.group, "tasks"));
      return lists.shift() ?? [];
    });
    expect(joined).toEqual(["5", "6"]);
  });
});

describe("statistics", () => {
  test("are those of the root, of the group, and of each cache", () => {
    const root = makeTree();
    const group = makeGroup(root, "gold", "    MB:0=50;1=100\n    L3:0=7f0;1=01f\n");
    const write = (path: string, text: string) => {
      mkdirSync(join(path, ".."), { recursive: true });
      writeFileSync(path, `${text}\n`);
    };
    write(join(root, "info/L3/cbm_mask"), "7ff");
    write(join(root, "info/L3/min_cbm_bits"), "1");
    write(join(root, "info/L3/num_closids"), "16");
    write(join(root, "info/MB/min_bandwidth"), "10");
    write(join(root, "info/MB/delay_linear"), "1");
    write(join(root, "info/MB/num_closids"), "8");
    write(join(group, "mon_data/mon_L3_00/mbm_total_bytes"), "18446744073709551615");
    write(join(group, "mon_data/mon_L3_00/llc_occupancy"), "4096");
    write(join(group, "mon_data/mon_L3_01/mbm_total_bytes"), "Unavailable");
    const { record } = planResctrl({ closID: "gold" }, "id", root);
    expect(describeResctrlStats(readResctrlStats(record))).toEqual({
      l3_cache_info: { cbm_mask: "7ff", min_cbm_bits: 1n, num_closids: 16n },
      l3_cache_schema_root: "L3:0=7ff;1=7ff",
      l3_cache_schema: "L3:0=7f0;1=01f",
      mem_bw_info: { bandwidth_gran: 10n, delay_linear: 1n, min_bandwidth: 10n, num_closids: 8n },
      mem_bw_schema_root: "MB:0=100;1=100",
      mem_bw_schema: "MB:0=50;1=100",
      schemata: ["MB:0=50;1=100", "L3:0=7f0;1=01f"],
      mbm_stats: [{ mbm_total_bytes: 18446744073709551615n }, {}],
      cmt_stats: [{ llc_occupancy: 4096n }, {}],
    });
  });

  test("of a processor that only controls bandwidth have nothing else", () => {
    const root = makeTree();
    writeFileSync(join(root, "schemata"), "MB:0=100\n");
    const { record } = planResctrl({ closID: "/" }, "id", root);
    expect(describeResctrlStats(readResctrlStats(record))).toEqual({
      mem_bw_schema_root: "MB:0=100",
      mem_bw_schema: "MB:0=100",
      schemata: ["MB:0=100"],
    });
  });
});

test.each([
  ["    L3:0=7ff;1=7ff\n    MB:0=100\n", "L3:0=7ff", true],
  ["L3:0=0000f", "L3:0=f", true],
  ["L3:0=f;1=f", "L3:0=f;1=e", false],
  ["L3:0=f", "L3:1=f", false],
  ["L3CODE:0=f\nL3DATA:0=3", "L3DATA:0=3", true],
  ["L2:0=f", "L3:0=f", false],
  ["MB:0=40", "MB:0=35", true],
  ["MB:0=40", "MB:0=41", false],
  ["MB:0=10", "MB:0=16", false],
])("schemata %j have %j: %p", (schemata, wanted, has) => {
  expect(hasSchema(schemata.split("\n"), wanted, 10)).toBe(has);
});
