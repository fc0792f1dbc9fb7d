import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { ConfigError } from "../../../src/errors.ts";
import { configWarnings, parseConfig, parseProcess, parseResources } from "../../../src/spec/config.ts";
import { defaultSpec } from "../../../src/spec/default.ts";

/** A minimal config with `members` put over it. */
function textOf(members: object): string {
  return JSON.stringify({ ociVersion: "1.3.0", root: { path: "rootfs" }, ...members });
}

function messageOf(parse: () => unknown): string {
  try {
    parse();
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as Error).message;
  }
  return "";
}

describe("parseConfig", () => {
  test("64-bit members are bigint, others number", () => {
    const text = `{"ociVersion":"1.3.0","root":{"path":"r"},
      "process":{"cwd":"/","args":["a"],"rlimits":[{"type":"RLIMIT_CORE","soft":5,"hard":18446744073709551615}]},
      "linux":{"namespaces":[{"type":"time"}],"timeOffsets":{"boottime":{"secs":-9007199254740993,"nanosecs":7}},
      "resources":{"memory":{"limit":9223372036854775807},"cpu":{"shares":2},"pids":{"limit":-1}}}}`;
    const { process, linux } = parseConfig(text);
    expect(process?.rlimits).toEqual([{ type: "RLIMIT_CORE", soft: 5n, hard: 18446744073709551615n }]);
    expect(linux?.timeOffsets?.boottime).toEqual({ secs: -9007199254740993n, nanosecs: 7 });
    expect(linux?.resources?.memory?.limit).toBe(9223372036854775807n);
    expect(linux?.resources?.cpu?.shares).toBe(2n);
    expect(linux?.resources?.pids?.limit).toBe(-1n);
  });

  test("empty texts and null are absent", () => {
    const config = parseConfig(
      textOf({
        hostname: "",
        mounts: null,
        linux: { namespaces: [{ type: "pid", path: "" }], cgroupsPath: "" },
      }),
    );
    expect(config.hostname).toBeUndefined();
    expect(config.mounts).toBeUndefined();
    expect(config.linux?.namespaces?.[0]?.path).toBeUndefined();
    expect(config.linux?.cgroupsPath).toBeUndefined();
  });

  test("a process without user is root's", () => {
    expect(parseConfig(textOf({ process: { cwd: "/", args: ["a"] } })).process?.user).toEqual({
      uid: 0,
      gid: 0,
    });
  });

  test("__proto__ is an annotation like any other, and no other member's prototype", () => {
    const text = textOf({ linux: {} }).replace(
      '"linux":{}',
      '"annotations":{"__proto__":"x"},"linux":{"__proto__":{"cgroupsPath":"/evil"}},"__proto__":{"hostname":"evil"}',
    );
    const config = parseConfig(text);
    expect(Object.entries(config.annotations ?? {})).toEqual([["__proto__", "x"]]);
    expect(config.hostname).toBeUndefined();
    expect(config.linux?.cgroupsPath).toBeUndefined();
    expect(JSON.stringify(config.annotations)).toBe('{"__proto__":"x"}');
  });

  test("requireProcess refuses a config that can never start", () => {
    expect(parseConfig(textOf({})).process).toBeUndefined();
    const parse = () => parseConfig(textOf({}), { requireProcess: true });
    expect(messageOf(parse)).toBe("config.json: process property must not be empty");
    const wrong = () => parseConfig(textOf({ process: 5 }), { requireProcess: true });
    expect(messageOf(wrong)).toBe("config.json: process: must be an object, not 5");
  });

  test("a problem in one member hides none in another", () => {
    const mounts = [
      { destination: 5, type: "tmpfs" },
      { destination: "/a", options: ["bind"] },
    ];
    const parse = () =>
      parseConfig(textOf({ hostname: "x", mounts, linux: { namespaces: [{ type: "nope" }] } }));
    // The hostname's rule reads the namespaces, which are wrong: it says nothing.
    expect(messageOf(parse)).toContain(
      "mounts[0].destination: must be a string, not 5; linux.namespaces[0].type",
    );
    expect(messageOf(parse)).toContain("mounts[1].source: is required for a bind mount");
    expect(messageOf(parse)).not.toContain("hostname");
  });

  test("an error lists 100 problems at most, and survives any number", () => {
    const errorWith = (count: number) => {
      const mounts = JSON.stringify(Array(count).fill(1));
      return messageOf(() => parseConfig(textOf({ mounts: "#" }).replace('"#"', mounts)));
    };
    expect(errorWith(100)).toEndWith("mounts[99]: must be an object, not 1");
    expect(errorWith(103)).toEndWith("mounts[99]: must be an object, not 1; and 3 more problems");
    expect(errorWith(2_000_000)).toMatch(/has too many problems to list|and 1999900 more problems/);
  });

  test("every problem has its path", () => {
    try {
      parseConfig(textOf({ process: { cwd: "x", args: [] } }));
      expect.unreachable();
    } catch (error) {
      expect((error as ConfigError).problems.map(({ path }) => path)).toEqual([
        "process.cwd",
        "process.args",
      ]);
    }
  });
});

describe("parseProcess", () => {
  test("reads the file of exec --process", () => {
    const process = parseProcess('{"cwd":"/","args":["id"],"env":["A=1"],"user":{"uid":5,"gid":6}}');
    expect(process).toEqual({ cwd: "/", args: ["id"], env: ["A=1"], user: { uid: 5, gid: 6 } });
  });

  test("its paths begin at the file's root", () => {
    const text = '{"cwd":"x","args":["a\\u0000"],"env":["A"],"user":{"uid":-1,"gid":0}}';
    expect(messageOf(() => parseProcess(text, "p.json"))).toBe(
      "p.json: user.uid: must be from 0 to 4294967294, not -1; args[0]: must not have a NUL byte; " +
        'cwd: must be an absolute path, not "x"; env[0]: must be NAME=VALUE, not "A"',
    );
  });
});

describe("parseResources", () => {
  test("reads the file of update --resources", () => {
    expect(parseResources('{"pids":{"limit":5},"cpu":{"shares":0}}')).toEqual({
      pids: { limit: 5n },
      cpu: { shares: 0n },
    });
  });

  test("its paths begin at the file's root", () => {
    const text = '{"memory":{"limit":-5,"swap":7},"pids":[]}';
    expect(messageOf(() => parseResources(text))).toBe(
      "resources.json: pids: must be an object, not an array; memory.limit: must be -1 or more, not -5",
    );
  });
});

test("configWarnings tells what is allowed and unwise", () => {
  const zero = { type: "c", major: 1, minor: 5 };
  const config = parseConfig(
    textOf({
      mounts: [{ destination: "data", type: "tmpfs" }],
      linux: {
        devices: [
          { path: "/dev/a", ...zero },
          { path: "/dev/b", ...zero },
        ],
      },
    }),
  );
  expect(configWarnings(config)).toEqual([
    'config.json: mounts[0].destination: "data" is a relative path, which is deprecated: taken as relative to /',
    "config.json: linux.devices[1]: device c 1:5 stands in devices[0] already",
  ]);
});

describe("defaultSpec", () => {
  test("is a config without problems and without inheritable capabilities", () => {
    const config = parseConfig(defaultSpec({ cgroupNamespace: true }), { requireProcess: true });
    expect(config.process.args).toEqual(["sh"]);
    expect(config.process.terminal).toBe(true);
    expect(config.process.capabilities?.inheritable).toBeUndefined();
    expect(config.linux?.namespaces?.map(({ type }) => type).join(" ")).toBe(
      "pid network ipc uts mount cgroup",
    );
    expect(configWarnings(config)).toEqual([]);
  });

  test("rootless: own ids as root, host's network, no resources, nothing of unmapped ids", () => {
    const config = parseConfig(defaultSpec({ rootless: { uid: 1000, gid: 100 } }));
    expect(config.linux?.namespaces?.map(({ type }) => type).join(" ")).toBe("pid ipc uts mount user");
    expect(config.linux?.uidMappings).toEqual([{ containerID: 0, hostID: 1000, size: 1 }]);
    expect(config.linux?.gidMappings).toEqual([{ containerID: 0, hostID: 100, size: 1 }]);
    expect(config.linux?.resources).toBeUndefined();
    expect(config.mounts?.find(({ destination }) => destination === "/sys")?.options?.[0]).toBe("rbind");
    expect(JSON.stringify(config.mounts)).not.toContain("gid=");
  });

  test("differs from runc's spec in the hostname only", () => {
    const path = new URL("../../../spec-fixtures/good/runc-spec.json", import.meta.url);
    const expected = JSON.parse(readFileSync(path, "utf8"));
    const actual = JSON.parse(defaultSpec({ cgroupNamespace: true }));
    expect(actual).toEqual({ ...expected, hostname: "tsrunc" });
  });
});
