// The process section of config.json, seen from inside: user, capabilities, noNewPrivileges.
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { defaultCapabilities } from "./config.ts";
import { isPeer, openSandbox } from "./harness.ts";
import { runLogged } from "./log.ts";
import { makeStatusReader } from "./status-file.ts";

const box = openSandbox("process-identity");
const readStatusFile = makeStatusReader(box);
const ours = test.skipIf(isPeer);

const hasMorePrivilege = /CapBnd:\s*000001ffffffffff/.test(readFileSync("/proc/self/status", "utf8"));

describe("user", () => {
  test("uid, gid and additionalGids", async () => {
    const status = await readStatusFile((config) => {
      config.process.user = { uid: 1000, gid: 1001, additionalGids: [5, 6] };
    });
    expect(status.get("Uid")).toBe("1000\t1000\t1000\t1000");
    expect(status.get("Gid")).toBe("1001\t1001\t1001\t1001");
    expect(
      status
        .get("Groups")
        ?.split(" ")
        .filter((g) => g !== "1001"),
    ).toEqual(["5", "6"]);
  });
  test("the caller's supplementary groups are gone", async () => {
    const status = await readStatusFile(undefined, {
      prefix: ["python3", "-c", "import os,sys; os.setgroups([77,88]); os.execvp(sys.argv[1], sys.argv[1:])"],
    });
    expect(status.get("Groups")).not.toMatch(/77|88/);
  });
  test("the umask, by default 0022 whatever the caller's", async () => {
    const prefix = ["sh", "-c", 'umask 077; exec "$@"', "sh"];
    expect((await readStatusFile(undefined, { prefix })).get("Umask")).toBe("0022");
    const status = await readStatusFile((config) => {
      config.process.user.umask = 0o027;
    });
    expect(status.get("Umask")).toBe("0027");
  });
  ours("an id that is no 32-bit number is refused", async () => {
    for (const uid of [4294967296, -1, 1.5, "0", null]) {
      const result = await box.look(["id"], (config) => {
        config.process.user.uid = uid as number;
      });
      expect(result.status).toBe(1);
      expect(result.stderr).toMatch(/process\.user\.uid/);
    }
  });
});

describe("capabilities", () => {
  const bits = { CAP_CHOWN: 0, CAP_DAC_OVERRIDE: 1, CAP_KILL: 5, CAP_SETUID: 7, CAP_NET_RAW: 13 };
  const mask = (...names: (keyof typeof bits)[]): string =>
    names
      .reduce((sum, name) => sum | (1n << BigInt(bits[name])), 0n)
      .toString(16)
      .padStart(16, "0");
  for (const uid of [0, 1000]) {
    test(`the five sets for uid ${uid}`, async () => {
      const status = await readStatusFile((config) => {
        config.process.user = { uid, gid: uid };
        config.process.noNewPrivileges = false;
        config.process.capabilities = {
          bounding: ["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_KILL", "CAP_SETUID"],
          permitted: ["CAP_CHOWN", "CAP_KILL", "CAP_SETUID"],
          effective: ["CAP_CHOWN", "CAP_KILL"],
          inheritable: ["CAP_KILL"],
          ambient: ["CAP_KILL"],
        };
      });
      expect(status.get("CapBnd")).toBe(mask("CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_KILL", "CAP_SETUID"));
      expect(status.get("CapInh")).toBe(mask("CAP_KILL"));
      expect(status.get("CapAmb")).toBe(mask("CAP_KILL"));
      // execve gives root all that its bounding and inheritable sets have, a user only the ambient ones.
      const root = mask("CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_KILL", "CAP_SETUID");
      expect(status.get("CapPrm")).toBe(uid === 0 ? root : mask("CAP_KILL"));
      expect(status.get("CapEff")).toBe(uid === 0 ? root : mask("CAP_KILL"));
    });
  }
  test("none at all when the lists are empty", async () => {
    const status = await readStatusFile((config) => {
      config.process.capabilities = { bounding: [], effective: [], permitted: [] };
    });
    for (const set of ["CapBnd", "CapEff", "CapPrm", "CapInh", "CapAmb"])
      expect(status.get(set)).toBe(mask());
  });
  ours("none at all without the section", async () => {
    const status = await readStatusFile((config) => {
      delete config.process.capabilities;
    });
    for (const set of ["CapEff", "CapPrm", "CapInh", "CapAmb"]) expect(status.get(set)).toBe(mask());
  });
  test("an unknown name is a warning in the log, the rest is set", async () => {
    const bundle = box.bundle(["cat", "/proc/self/status"], (config) => {
      config.process.capabilities = { bounding: ["CAP_CHOWN", "CAP_BOGUS"], effective: [], permitted: [] };
    });
    const result = await runLogged(box, bundle);
    expect(result.status).toBe(0);
    expect(result.stdout).toMatch(`CapBnd:\t${mask("CAP_CHOWN")}`);
    expect(result.log.filter((e) => e.level === "warning" && e.msg.includes("CAP_BOGUS")).length).toBe(1);
  });
  test.skipIf(isPeer || hasMorePrivilege)(
    "one that this host cannot grant is a warning, the rest is set",
    async () => {
      const result = await box.look(["cat", "/proc/self/status"], (config) => {
        const names = [...defaultCapabilities, "CAP_SYS_RESOURCE"];
        config.process.capabilities = {
          bounding: names,
          effective: names,
          permitted: names,
          inheritable: names,
          ambient: names,
        };
      });
      expect(result.status).toBe(0);
      expect(result.stdout).toMatch(/^CapBnd:\t00000000a80425fb$/m);
      expect(result.stdout).toMatch(/^CapAmb:\t00000000a80425fb$/m);
    },
  );
});

test.skipIf(isPeer)("an inheritable capability beyond the bounding set is a warning", async () => {
  const bundle = box.bundle(["cat", "/proc/self/status"], (config) => {
    config.process.capabilities = { bounding: ["CAP_KILL"], inheritable: ["CAP_CHOWN", "CAP_KILL"] };
  });
  const result = await runLogged(box, bundle);
  expect(result.status).toBe(0);
  expect(result.stdout).toMatch(/^CapInh:\t0+20$/m);
  expect(result.log.some(({ level, msg }) => level === "warning" && msg.includes("CAP_CHOWN"))).toBe(true);
});

test("noNewPrivileges", async () => {
  for (const value of [true, false]) {
    const status = await readStatusFile((config) => {
      config.process.noNewPrivileges = value;
    });
    expect(status.get("NoNewPrivs")).toBe(value ? "1" : "0");
  }
});
