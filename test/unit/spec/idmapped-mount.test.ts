// What a mount's id mappings come to: its own, those of an option, those of the container's user namespace.
import { describe, expect, test } from "bun:test";
import { checkIdmaps, formatMap, formatMaps, listIdmaps } from "../../../src/compile/idmap.ts";
import type { Config, IdMapping, LinuxNamespace, Mount } from "../../../src/spec/config.ts";
import { readIdmap } from "../../../src/spec/idmapped-mount.ts";

const map = (containerID: number, hostID: number, size: number): IdMapping => ({ containerID, hostID, size });
const bind = (option: string, maps: Partial<Mount> = {}): Mount => ({
  destination: "/data",
  source: "/data",
  options: ["bind", ...(option === "" ? [] : [option])],
  ...maps,
});
const inUserNamespace = (namespace: Partial<LinuxNamespace> = {}): Config => ({
  ociVersion: "1.3.0",
  root: { path: "rootfs" },
  linux: {
    namespaces: [{ type: "user", ...namespace }],
    uidMappings: [map(0, 0, 1), map(1, 2, 1000)],
    gidMappings: [map(0, 500, 100)],
  },
});
const plain: Config = { ociVersion: "1.3.0", root: { path: "rootfs" } };

describe("readIdmap", () => {
  test("nothing is asked for", () => {
    expect(readIdmap(inUserNamespace(), bind(""))).toEqual({ problems: [] });
    expect(readIdmap(plain, { destination: "/a", type: "tmpfs" })).toEqual({ problems: [] });
    expect(readIdmap(plain, bind("idmapped"))).toEqual({ problems: [] });
  });

  test("the mount's own maps, for the mount alone unless ridmap asks for all", () => {
    const own = { uidMappings: [map(0, 5, 1)], gidMappings: [map(0, 6, 1)] };
    const maps = { uid: own.uidMappings, gid: own.gidMappings };
    for (const option of ["", "idmap"])
      expect(readIdmap(inUserNamespace(), bind(option, own)).value).toEqual({ recursive: false, maps });
    expect(readIdmap(plain, bind("ridmap", own)).value).toEqual({ recursive: true, maps });
  });

  test("without maps those of the container's user namespace", () => {
    const config = inUserNamespace();
    expect(readIdmap(config, bind("idmap")).value?.maps).toEqual({
      uid: config.linux?.uidMappings ?? [],
      gid: config.linux?.gidMappings ?? [],
    });
    expect(readIdmap(inUserNamespace({ path: "/proc/1/ns/user" }), bind("ridmap")).value).toEqual({
      recursive: true,
    });
    expect(readIdmap(plain, bind("idmap")).problems).toHaveLength(1);
  });

  test("crun's mappings in the option, absolute and counted in the container", () => {
    const { value, problems } = readIdmap(plain, bind("ridmap=gids=3-4-5;uids=0-1-10#10-11-10"));
    expect(problems).toEqual([]);
    expect(value).toEqual({
      recursive: true,
      maps: { uid: [map(0, 1, 10), map(10, 11, 10)], gid: [map(3, 4, 5)] },
      option: 1,
    });
    // crun(1): 1-3-10 counted in a namespace that maps 1 to 2 is 1-4-10.
    const relative = readIdmap(inUserNamespace(), bind("idmap=uids=@1-3-10;gids=7-7-1#@9-1-9")).value?.maps;
    expect(relative).toEqual({ uid: [map(1, 4, 10)], gid: [map(7, 7, 1), map(9, 501, 9)] });
  });

  test.each([
    "idmap=",
    "idmap=uids=;gids=0-0-1",
    "idmap=uids=0-0-1",
    "idmap=uids=0-0-1;uids=0-0-1",
    "idmap=uids=0-0-1;gids=0-0-1;",
    "idmap=uids=0-0-0;gids=0-0-1",
    "idmap=uids=4294967295-0-1;gids=0-0-1",
    "idmap=uids=99999999999999999999-0-1;gids=0-0-1",
    "idmap=uids=0-0-1,gids=0-0-1",
    "idmap=uids= 0-0-1;gids=0-0-1",
    "idmap=users=0-0-1;gids=0-0-1",
    // Past the end of one range, and a range that there is not.
    "idmap=uids=@0-0-2;gids=0-0-1",
    "idmap=uids=@0-2000-1;gids=0-0-1",
  ])("refuses %s", (option) => {
    const { value, problems } = readIdmap(inUserNamespace(), bind(option));
    expect(value).toBeUndefined();
    expect(problems).toHaveLength(1);
  });
});

test("each pair of maps is listed once, with its first mount", () => {
  const maps = { uidMappings: [map(0, 5, 1)], gidMappings: [map(0, 5, 1)] };
  const config = {
    ...plain,
    mounts: [bind(""), bind("idmap", maps), bind("ridmap", maps), bind("idmap=uids=0-5-1;gids=0-6-1")],
  };
  expect([...listIdmaps(config).entries()].map(([text, { index }]) => [text, index])).toEqual([
    ["userns[uids 0 5 1; gids 0 5 1]", 1],
    ["userns[uids 0 5 1; gids 0 6 1]", 3],
  ]);
  expect(formatMap([map(0, 1, 2), map(2, 9, 1)])).toBe("0 1 2\n2 9 1\n");
  expect(formatMaps({ uid: [map(0, 1, 2), map(2, 9, 1)], gid: [map(0, 0, 1)] })).toBe(
    "userns[uids 0 1 2, 2 9 1; gids 0 0 1]",
  );
});

test("an ordinary user is told before anything is made", () => {
  const config = { ...inUserNamespace(), mounts: [bind(""), bind("idmap")] };
  expect(() => checkIdmaps(config, { euid: 0 })).not.toThrow();
  expect(() => checkIdmaps(config, { euid: 1000 })).toThrow(
    "config.json: mounts[1]: id-mapped mounts are not supported for rootless containers",
  );
});
