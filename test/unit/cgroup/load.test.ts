// What `stats` reads of a cgroup.
import { describe, expect, test } from "bun:test";
import { collectLoadV1, collectLoadV2 } from "../../../src/cgroup/load.ts";
import { loadStatFiles } from "./stat-files.ts";

describe("v1", () => {
  test("numbers of a real container", () => {
    const { pressure, ...load } = collectLoadV1(loadStatFiles("v1")) ?? { pressure: {} };
    expect(load).toEqual({
      cpuTime: 431535926n,
      memoryUsage: 23519232n,
      inactiveFile: 20979712n,
      memoryLimit: 67108864n,
      pids: 1n,
      pidsLimit: 64n,
      read: 1368064n,
      written: 20992000n,
    });
    expect(pressure.cpu?.some.avg10).toBe(11.22);
    expect(pressure.io?.full.total).toBe(427n);
  });

  test("no limits are undefined, pressure needs cgroup2, bfq's bytes are better than none", () => {
    const load = collectLoadV1(
      loadStatFiles("v1", {
        "memory/memory.limit_in_bytes": "9223372036854771712\n",
        "pids/pids.max": "max\n",
        "unified/memory.pressure": null,
        "blkio/blkio.throttle.io_service_bytes_recursive": null,
        "blkio/blkio.bfq.io_service_bytes_recursive":
          "8:0 Read 1\n8:0 Write 2\n8:16 Read 10\n8:16 Total 10\nTotal 13\n",
      }),
    );
    expect(load?.memoryLimit).toBeUndefined();
    expect(load?.pidsLimit).toBeUndefined();
    expect(Object.keys(load?.pressure ?? {})).toEqual(["cpu", "io"]);
    expect([load?.read, load?.written]).toEqual([11n, 2n]);
  });

  test("a cgroup that is gone", () =>
    expect(collectLoadV1({ read: () => undefined, list: () => [] })).toBeUndefined());
});

describe("v2", () => {
  test("numbers of a real container", () => {
    const { pressure, ...load } = collectLoadV2(loadStatFiles("v2")) ?? { pressure: {} };
    expect(load).toEqual({
      cpuTime: 1336486000n,
      memoryUsage: 22278144n,
      inactiveFile: 20971520n,
      memoryLimit: 67108864n,
      pids: 1n,
      pidsLimit: 64n,
      read: 389120n,
      written: 20975616n,
    });
    expect(pressure.cpu?.full.avg60).toBe(6.29);
  });

  test("no limits are undefined, and so is what has no controller", () => {
    const load = collectLoadV2(
      loadStatFiles("v2", {
        "unified/memory.max": "max\n",
        "unified/pids.max": null,
        "unified/pids.current": null,
        "unified/io.stat": null,
      }),
    );
    expect(load).toMatchObject({ pids: 0n, read: 0n, written: 0n });
    expect([load?.memoryLimit, load?.pidsLimit]).toEqual([undefined, undefined]);
  });

  test("a cgroup that is gone", () =>
    expect(collectLoadV2({ read: () => undefined, list: () => [] })).toBeUndefined());
});
