import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { COMMANDS } from "../../../src/cli/commands.ts";
import { main } from "../../../src/cli/main.ts";
import { installDir } from "../../init/init.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "tsrunc-cli-"));
  symlinkSync(join(installDir, "koffi.node"), join(folder, "koffi.node"));
});
afterAll(() => rmSync(folder, { recursive: true }));

interface Outcome {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function run(...argv: readonly string[]): Promise<Outcome> {
  const output = { 1: "", 2: "" };
  const status = await main({
    argv,
    cwd: folder,
    env: {},
    euid: 0,
    egid: 0,
    parentPid: process.ppid,
    execPath: join(folder, "tsrunc"),
    write: (fd, text) => {
      output[fd] += text;
    },
    isTerminal: () => false,
  });
  return { status, stdout: output[1], stderr: output[2] };
}

const root = (): string => join(folder, "root");

describe("help", () => {
  for (const argv of [[], ["--help"], ["-h"], ["help"]]) {
    test(`tsrunc ${argv.join(" ")}`, async () => {
      const { status, stdout, stderr } = await run(...argv);
      expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
      for (const name of Object.keys(COMMANDS)) expect(stdout).toContain(`  ${name} `);
    });
  }

  for (const name of Object.keys(COMMANDS)) {
    test(`of ${name}`, async () => {
      const shown = await run(name, "--help");
      expect(shown).toMatchObject({ status: 0, stderr: "" });
      expect(shown.stdout).toStartWith(`Usage: tsrunc ${name}`);
      expect(await run("help", name)).toEqual(shown);
    });
  }
});

describe("version", () => {
  for (const flag of ["--version", "-v", "-version"]) {
    test(flag, async () => {
      const { status, stdout, stderr } = await run(flag);
      expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
      expect(stdout).toMatch(/^tsrunc version \S+\ncommit: \S+\nspec: 1\.3\.0\n$/);
    });
  }
});

describe("what is wrong with the command line", () => {
  const cases: readonly (readonly [argv: string, status: number, message: string])[] = [
    ["state", 1, '"state" requires exactly 1 argument(s)'],
    ["state a b", 1, '"state" requires exactly 1 argument(s)'],
    ["list a", 1, '"list" requires exactly 0 argument(s)'],
    ["kill", 1, '"kill" requires a minimum of 1 argument(s)'],
    ["kill a b c", 1, '"kill" requires a maximum of 2 argument(s)'],
    ["exec", 1, '"exec" requires a minimum of 1 argument(s)'],
    ["state --frob a", 1, "flag provided but not defined: -frob"],
    ["--frob state", 1, "flag provided but not defined: -frob"],
    ["create --bundle", 1, "flag needs an argument: -bundle"],
  ];
  for (const [argv, status, message] of cases) {
    test(argv, async () => {
      const result = await run(...argv.split(" "));
      expect(result.status).toBe(status);
      expect(result.stdout).toStartWith("Incorrect Usage.\n\nUsage: tsrunc");
      expect(result.stderr).toContain(`level=error msg=${JSON.stringify(message)}\n`);
    });
  }

  test("an unknown command", async () => {
    for (const argv of [["frob"], ["help", "frob"], ["constructor"]]) {
      const result = await run(...argv);
      expect(result).toMatchObject({ status: 3, stdout: "" });
      expect(result.stderr).toContain(`No help topic for '${argv.at(-1)}'`);
    }
  });

  test("a command that comes later", async () => {
    const result = await run("checkpoint", "a");
    expect(result).toMatchObject({ status: 1, stdout: "" });
    expect(result.stderr).toContain("not supported yet: tsrunc checkpoint");
  });

  const values: readonly (readonly [string, string])[] = [
    ["--log-format xml list", "invalid log-format: xml"],
    ["--log-level loud list", "invalid log-level: loud"],
    ["--rootless maybe list", 'invalid value \\"maybe\\" for flag -rootless: true, false or auto'],
    ["--root / list", "must not be /"],
    ["--root /../ list", "must not be /"],
    ["list --format yaml", "invalid format option: yaml"],
    ["kill a FOO", 'unknown signal \\"FOO\\"'],
    ["kill a 65", 'unknown signal \\"65\\"'],
    ["--log /nope/x list", "log file: open /nope/x: no such file or directory"],
    [`state ${"x".repeat(256)}`, "invalid container ID format: longer than 255 bytes"],
    [
      "run --bundle /nope a",
      "read the bundle's configuration: open /nope/config.json: no such file or directory",
    ],
    ["update --resources /nope a", "read the resources: open /nope: no such file or directory"],
  ];
  for (const [argv, message] of values) {
    test(argv, async () => {
      const result = await run(...argv.split(" "));
      expect(result).toMatchObject({ status: 1, stdout: "" });
      expect(result.stderr).toContain(message);
    });
  }

  test("exec fails with 255 and its prefix", async () => {
    for (const argv of [
      ["exec", "-u", "4294967296", "a", "true"],
      ["exec", "a"],
      ["exec", "--cwd", "etc", "a", "true"],
      ["exec", "--env", "FOO", "a", "true"],
      ["exec", "--env", "=x", "a", "true"],
      ["exec", "--apparmor", "p", "a", "true"],
      ["exec", "--cgroup", "x", "a", "true"],
      ["--root", root(), "exec", "a", "true"],
    ]) {
      const result = await run(...argv);
      expect(result).toMatchObject({ status: 255, stdout: "" });
      expect(result.stderr).toContain('msg="exec failed: ');
    }
  });
});

describe("containers that are not there", () => {
  const commands = ["state a", "start a", "kill a", "delete a", "exec a true"];
  for (const argv of commands) {
    test(argv, async () => {
      const result = await run("--root", root(), ...argv.split(" "));
      expect(result.status).toBe(argv.startsWith("exec") ? 255 : 1);
      expect(result.stdout).toBe("");
      expect(result.stderr).toMatch(/container does not exist"\n$/);
    });
  }

  test("delete --force", async () => {
    const expected = { status: 0, stdout: "", stderr: "" };
    expect(await run("--root", root(), "delete", "--force", "a")).toEqual(expected);
    expect(await run("--root", root(), "delete", "a", "-f")).toEqual(expected);
  });

  test("bad ids", async () => {
    for (const id of ["../x", "a/b", ".", "..", "a\nb", "a b", "x".repeat(2000), "a\0"]) {
      for (const name of ["state", "start", "delete", "kill"]) {
        const result = await run("--root", root(), name, id);
        expect(result).toMatchObject({ status: 1, stdout: "" });
        expect(result.stderr).toContain("invalid container ID format");
      }
    }
  });
});

describe("list", () => {
  test("a root that was named and is not there", async () => {
    const result = await run("--root", root(), "list");
    expect(result).toMatchObject({ status: 1, stdout: "" });
    expect(result.stderr).toContain(`open ${root()}: no such file or directory`);
  });

  test("no container", async () => {
    const empty = join(folder, "empty");
    mkdirSync(empty);
    const header = "ID          PID         STATUS      BUNDLE      CREATED     OWNER\n";
    expect(await run("--root", empty, "list")).toEqual({ status: 0, stdout: header, stderr: "" });
    expect((await run("--root", empty, "list", "-f", "json")).stdout).toBe("null\n");
    expect((await run("--root", empty, "list", "-q")).stdout).toBe("");
  });

  test("a broken entry is told and passed over", async () => {
    const broken = join(folder, "broken");
    mkdirSync(join(broken, "bad"), { recursive: true });
    const result = await run("--root", broken, "list", "-q");
    expect(result).toEqual({
      status: 0,
      stdout: "",
      stderr: "load container bad: container does not exist\n",
    });
  });
});

describe("the log file", () => {
  test("has one JSON object for an error, which stderr has plainly", async () => {
    const result = await run("--log", "log.json", "--log-format=json", "state", "a");
    expect(result).toEqual({ status: 1, stdout: "", stderr: "container does not exist\n" });
    const { time, ...entry } = JSON.parse(readFileSync(join(folder, "log.json"), "utf8"));
    expect(entry).toEqual({ level: "error", msg: "container does not exist" });
    expect(time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  });

  test("also for a mistake on the command line", async () => {
    await run("--log=usage.json", "--log-format", "json", "state");
    expect(JSON.parse(readFileSync(join(folder, "usage.json"), "utf8")).level).toBe("error");
  });

  test("one that cannot be opened", async () => {
    const result = await run("--log", "absent/log", "list");
    expect(result).toMatchObject({ status: 1, stdout: "" });
    expect(result.stderr).toContain("log file: ");
  });
});

describe("spec", () => {
  test("writes config.json, and not over one", async () => {
    expect(await run("spec")).toEqual({ status: 0, stdout: "", stderr: "" });
    const path = join(folder, "config.json");
    const config = JSON.parse(readFileSync(path, "utf8"));
    expect(config.process.capabilities.inheritable).toBeUndefined();
    writeFileSync(path, "mine");
    const again = await run("spec");
    expect(again).toMatchObject({ status: 1, stdout: "" });
    expect(again.stderr).toContain("config.json exists");
    expect(readFileSync(path, "utf8")).toBe("mine");
  });

  test("in a bundle", async () => {
    mkdirSync(join(folder, "bundle"));
    expect((await run("spec", "--rootless", "-b", "bundle")).status).toBe(0);
    const config = JSON.parse(readFileSync(join(folder, "bundle/config.json"), "utf8"));
    expect(config.linux.uidMappings).toEqual([{ containerID: 0, hostID: 0, size: 1 }]);
  });
});

test("features is JSON with what clients look for", async () => {
  const { status, stdout, stderr } = await run("features");
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  const features = JSON.parse(stdout);
  expect(features).toMatchObject({ ociVersionMin: "1.0.0", ociVersionMax: "1.3.0" });
  expect(features.hooks.length).toBe(6);
  expect(features.mountOptions).toContain("rro");
  expect(features.linux.namespaces).toContain("user");
  expect(features.linux.capabilities).toContain("CAP_SYS_ADMIN");
  expect(features.linux.seccomp).toMatchObject({ enabled: true });
  expect(features.linux.seccomp.actions).toContain("SCMP_ACT_NOTIFY");
  expect(features.linux.seccomp.archs).toContain("SCMP_ARCH_X32");
  expect(features.linux.seccomp.operators.length).toBe(7);
  expect(features.linux.seccomp.knownFlags.length).toBe(4);
  expect(features.linux.seccomp.supportedFlags).toContain("SECCOMP_FILTER_FLAG_SPEC_ALLOW");
  expect(features.linux).toMatchObject({ apparmor: { enabled: true }, selinux: { enabled: true } });
  expect(features.annotations["io.github.seccomp.libseccomp.version"]).toMatch(/^2\.\d+\.\d+$/);
  expect(features.potentiallyUnsafeConfigAnnotations).toEqual([
    "run.oci.keep_original_groups",
    "run.oci.mount_context_type",
    "run.oci.seccomp.receiver",
    "org.systemd.property.",
  ]);
});
