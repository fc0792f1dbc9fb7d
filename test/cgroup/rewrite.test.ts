// What an update that fails leaves in the files of this host, a v1 or hybrid layout, root.
import { describe, expect, test } from "bun:test";
import { mkdirSync, rmdirSync, writeFileSync } from "node:fs";
import { planWrites } from "../../src/cgroup/plan.ts";
import { rewriteResources } from "../../src/cgroup/rewrite.ts";
import type { CgroupRecord, CgroupWrite } from "../../src/cgroup/types.ts";
import type { Resources } from "../../src/spec/resources.ts";
import { has, hasFile } from "./resources-v1.ts";
import { isHybrid, layout, openCgroups, read } from "./v1.ts";

const { create, start } = openCgroups();

/** The error of an update that fails after everything was written, when `last` has been done. */
function failUpdate(record: CgroupRecord, writes: readonly CgroupWrite[], last = () => {}): string {
  try {
    rewriteResources(record, writes, () => {
      last();
      throw new Error("too late");
    });
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error("no error");
}
const plan = (record: CgroupRecord, change: Resources) => planWrites(record.mode, change);

describe.skipIf(!has("pids") || !has("cpu"))("a failed update", () => {
  test("a write that fails is not set back: the others are, and its error is told alone", () => {
    const record = create({ pids: { limit: 9n }, cpu: { shares: 300n } });
    const throttleReadBpsDevice = [{ major: 999n, minor: 0n, rate: 5n }];
    const change = { pids: { limit: 10n }, cpu: { shares: 400n }, blockIO: { throttleReadBpsDevice } };
    expect(() => rewriteResources(record, plan(record, change))).toThrow(
      /^linux.resources.blockIO.throttleReadBpsDevice\[0\]: write "999:0 5" to blkio.throttle.read_bps_device: no such device$/,
    );
    expect([read(record, "pids", "pids.max"), read(record, "cpu", "cpu.shares")]).toEqual(["9", "300"]);
  });

  test("what cannot be set back keeps nothing else from it, and is told", () => {
    const top = create();
    const path = `${top.paths.cpu?.slice(layout.controllers.get("cpu")?.mountPoint.length)}/c`;
    const record = create(
      { pids: { limit: 9n }, cpu: { shares: 300n, quota: 50000n, period: 100000n } },
      path,
    );
    const change = { pids: { limit: 10n }, cpu: { shares: 400n, quota: 10000n, period: 100000n } };
    // A group cannot have more than the one above it.
    const lowerTop = () => writeFileSync(`${top.paths.cpu}/cpu.cfs_quota_us`, "20000");
    expect(failUpdate(record, plan(record, change), lowerTop)).toBe(
      'too late; and back: linux.resources.cpu.quota: write "50000" to cpu.cfs_quota_us: invalid argument',
    );
    expect([read(record, "pids", "pids.max"), read(record, "cpu", "cpu.shares")]).toEqual(["9", "300"]);
  });

  test.skipIf(!hasFile("cpu", "cpu.idle"))("with idleness goes the weight, and comes back", () => {
    const record = create({ cpu: { shares: 300n } });
    const look = () => [read(record, "cpu", "cpu.idle"), read(record, "cpu", "cpu.shares")];
    expect(failUpdate(record, plan(record, { cpu: { idle: 1n } }))).toBe("too late");
    expect(look()).toEqual(["0", "300"]);
    rewriteResources(record, plan(record, { cpu: { idle: 1n } }));
    const idle = look();
    expect(failUpdate(record, plan(record, { cpu: { idle: 0n, shares: 400n } }))).toBe("too late");
    expect(look()).toEqual(idle);
  });

  test.skipIf(!has("cpuset"))("a file that was empty is empty again", () => {
    const dir = `${layout.controllers.get("cpuset")?.mountPoint}/tsrunc-test-empty-${process.pid}`;
    mkdirSync(dir);
    try {
      const record: CgroupRecord = { driver: "cgroupfs", mode: "v1", paths: { cpuset: dir } };
      expect(read(record, "cpuset", "cpuset.cpus")).toBe("");
      expect(failUpdate(record, plan(record, { cpu: { cpus: "0" } }))).toBe("too late");
      expect(read(record, "cpuset", "cpuset.cpus")).toBe("");
    } finally {
      rmdirSync(dir);
    }
  });
});

test.skipIf(!isHybrid)(
  "a file that can only be written is written, and that is told after an error",
  async () => {
    const record = create();
    const kill = { hierarchy: "unified", file: "cgroup.kill", value: "1", why: "linux.resources.unified" };
    const child = start();
    writeFileSync(`${record.paths.unified}/cgroup.procs`, String(child.pid));
    rewriteResources(record, [kill]);
    expect(await child.exited).toBe(137);
    expect(failUpdate(record, [kill])).toBe(
      "too late; and back: linux.resources.unified: what cgroup.kill had before is not known",
    );
  },
);
