// Every single step of a full-featured create and start fails once: with the step's own error, and with nothing left.
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadLibc } from "../../native-bindings/libc.ts";
import { createContainer } from "../../src/container/create.ts";
import { deleteContainer } from "../../src/container/delete.ts";
import { prepareContainer } from "../../src/container/prepare.ts";
import { startContainer } from "../../src/container/start.ts";
import { computeStatus } from "../../src/container/status.ts";
import { readRecord } from "../../src/container/store.ts";
import type { Context } from "../../src/context.ts";
import { messageOf } from "../../src/errors.ts";
import { openConsolePair } from "../../src/host/console.ts";
import { closeFd } from "../../src/host/fd.ts";
import { stepError } from "../../src/plan/print.ts";
import type { Step } from "../../src/plan/step.ts";
import { addUserNamespace, type Config, makeConfig } from "../e2e/config.ts";
import { makeRootfs } from "../e2e/harness.ts";
import { listLeftovers } from "../e2e/leftovers.ts";
import { context as base, installDir } from "../init/init.ts";
import { countDescriptors, listChildren, until } from "./leaks.ts";

setDefaultTimeout(300_000);

/** Tolerated by no step. */
const EREMOTEIO = 121;

const folder = mkdtempSync(join(tmpdir(), "tsrunc-failures-"));
chmodSync(folder, 0o755);
const id = `failures-${process.pid}`;
const root = join(folder, "state");
const libc = loadLibc(installDir);
const warnings: string[] = [];
const ctx: Context = {
  ...base,
  root,
  cwd: folder,
  now: () => new Date(),
  log: { ...base.log, warn: (message) => void warnings.push(message) },
};

beforeAll(() => {
  mkdirSync(join(folder, "source"));
  writeFileSync(join(folder, "file"), "");
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function makeBundle(name: string, change: (config: Config) => void): string {
  const bundle = join(folder, name);
  makeRootfs(join(bundle, "rootfs"), Bun.which("busybox") ?? "/bin/busybox", ["sh", "sleep"]);
  const config = makeConfig(["sleep", "100"]);
  config.root.readonly = true;
  config.domainname = "example.org";
  config.process.terminal = true;
  config.process.cwd = "/made/for/it";
  config.process.oomScoreAdj = 100;
  config.process.user = { uid: 1000, gid: 1000, umask: 0o27, additionalGids: [5, 10] };
  config.mounts.push(
    {
      destination: "/bound",
      type: "bind",
      source: join(folder, "source"),
      options: ["rbind", "ro", "rprivate"],
    },
    { destination: "/some/file", type: "bind", source: join(folder, "file"), options: ["bind"] },
    { destination: "/etc", type: "tmpfs", source: "tmpfs", options: ["tmpcopyup", "ro"] },
    { destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup", options: ["ro", "nosuid"] },
  );
  config.linux.maskedPaths = ["/proc/kcore", "/proc/acpi", "/sys/firmware"];
  config.linux.readonlyPaths = ["/proc/sys", "/proc/bus"];
  config.linux.sysctl = { "net.ipv4.ip_forward": "1", "kernel.shmmax": "1000000" };
  config.linux.rootfsPropagation = "rslave";
  config.linux.resources = { pids: { limit: 100 }, memory: { limit: 256 * 1024 * 1024 } };
  const hook = { path: "/bin/true" };
  config.hooks = { prestart: [hook], createRuntime: [hook], createContainer: [hook] };
  change(config);
  writeFileSync(join(bundle, "config.json"), JSON.stringify(config));
  return bundle;
}

interface Outcome {
  /** The step that was made to fail, undefined: there are fewer. */
  readonly failed: Step | undefined;
  readonly error: string | undefined;
}

/** Creates and starts, with the step of this number (counted over both, where `counts` says so) failing. */
async function attempt(
  bundle: string,
  target: number,
  counts: (step: Step) => boolean = () => true,
): Promise<Outcome> {
  let count = 0;
  let failed: Step | undefined;
  const injectFailure = (step: Step): number | undefined => {
    // The last three steps wait for start: what they cannot do shows in the container's status.
    if (step.source.intent === "wait for start" || !counts(step) || count++ !== target) return undefined;
    failed = step;
    return EREMOTEIO;
  };
  const pair = openConsolePair(libc);
  try {
    const options = {
      id,
      bundle,
      configFile: "config.json",
      noPivot: false,
      noNewKeyring: false,
      preserveFds: 0,
      systemdCgroup: false,
    };
    await createContainer(ctx, prepareContainer(ctx, options), { console: pair.init, injectFailure });
    try {
      await startContainer(ctx, id);
      expect(computeStatus(ctx, readRecord(ctx, id))).toBe("running");
    } catch (error) {
      await until("init's end", () => computeStatus(ctx, readRecord(ctx, id)) === "stopped");
      throw error;
    } finally {
      await deleteContainer(ctx, id, { force: true });
      reapChildren();
    }
    return { failed, error: undefined };
  } catch (error) {
    return { failed, error: messageOf(error) };
  } finally {
    closeFd(libc, pair.host);
    closeFd(libc, pair.init);
  }
}

/** init is this process's child here. */
function reapChildren(): void {
  for (const pid of listChildren()) libc.waitpid(pid, null, 0);
}

/** What the error of a step must be. */
function expectError({ failed, error }: Outcome): void {
  const { path, intent } = (failed as Step).source;
  const step = failed?.lane === "init" ? failed : undefined;
  const text = step
    ? stepError(step, EREMOTEIO).message
    : [path, intent].filter((part) => part !== "").join(": ");
  expect(error).toContain(text);
}

function expectNothingLeft(target: number, { error }: Outcome, descriptors: number): void {
  const left = [
    ...(existsSync(join(root, id)) ? readdirSync(root) : []),
    ...listChildren().map((pid) => `child ${pid}`),
    ...(countDescriptors() === descriptors ? [] : ["descriptors"]),
    ...warnings.splice(0),
  ];
  if (left.length > 0) throw new Error(`step ${target} (${error}) left ${left.join(", ")}`);
}

const USER = "in a user namespace";
const kinds: Record<string, (config: Config) => void> = {
  "with all that a container can have": () => {},
  [USER]: (config) => {
    addUserNamespace(config);
    config.hooks = {};
  },
};

describe.skipIf(process.getuid?.() !== 0)("every step of create and start fails once", () => {
  for (const [name, change] of Object.entries(kinds))
    test(name, async () => {
      const bundle = makeBundle(name.replaceAll(" ", "-"), change);
      if (name === USER) spawnSync("chown", ["-R", "100000:100000", join(bundle, "rootfs")]);
      expect((await attempt(bundle, -1)).error).toBeUndefined();
      const descriptors = countDescriptors();
      let failures = 0;
      const passed: string[] = [];
      for (let target = 0; ; target++) {
        const outcome = await attempt(bundle, target);
        if (outcome.failed === undefined) break;
        if (outcome.error === undefined) passed.push(`${target}: ${outcome.failed.source.intent}`);
        else {
          failures += 1;
          expectError(outcome);
        }
        expectNothingLeft(target, outcome, descriptors);
      }
      expect(listLeftovers(folder, id, [root])).toEqual([]);
      expect(failures).toBeGreaterThan(300);
      // Steps that were jumped over, since what they are for was not the case.
      expect(passed.length).toBeLessThan(failures / 4);
    });
  test("also those that make what a link of the image leads to", async () => {
    let path = "";
    const bundle = makeBundle("links", (config) => {
      path = `mounts[${config.mounts.length}]`;
      const source = join(folder, "file");
      config.mounts.push({ destination: "/link/file", type: "bind", source, options: ["bind"] });
    });
    symlinkSync("../made/by", join(bundle, "rootfs/link"));
    const made = join(bundle, "rootfs/made");
    const ofTheMount = ({ source }: Step): boolean => source.path === path;
    const failed: string[] = [];
    expect((await attempt(bundle, -1, ofTheMount)).error).toBeUndefined();
    const descriptors = countDescriptors();
    for (let target = 0; ; target++) {
      rmSync(made, { recursive: true, force: true });
      const outcome = await attempt(bundle, target, ofTheMount);
      if (outcome.failed === undefined) break;
      if (outcome.error !== undefined) {
        expectError(outcome);
        failed.push(outcome.failed.lane === "init" ? outcome.failed.call : outcome.failed.action.do);
      }
      expectNothingLeft(target, outcome, descriptors);
    }
    for (const call of ["openat2", "fstatfs", "readlinkat", "mkdirat", "mknodat", "move_mount"])
      expect(failed).toContain(call);
    expect(failed.filter((call) => call === "readlinkat")).toHaveLength(1);
  });
});
