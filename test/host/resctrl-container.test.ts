// linux.intelRdt on a directory that looks like resctrl: containers in groups.
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { EventEmitter } from "node:events";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { loadLibc } from "../../native-bindings/libc.ts";
import { createContainer } from "../../src/container/create.ts";
import { deleteContainer } from "../../src/container/delete.ts";
import { execContainer } from "../../src/container/exec.ts";
import { prepareContainer } from "../../src/container/prepare.ts";
import { startContainer } from "../../src/container/start.ts";
import { readRecord } from "../../src/container/store.ts";
import { updateContainer } from "../../src/container/update.ts";
import type { Context } from "../../src/context.ts";
import { planResctrl } from "../../src/host/resctrl.ts";
import type { Step } from "../../src/plan/step.ts";
import type { IntelRdt } from "../../src/spec/config.ts";
import { makeConfig } from "../e2e/config.ts";
import { makeRootfs } from "../e2e/harness.ts";
import { context as base, installDir } from "../init/init.ts";
import { listChildren } from "./leaks.ts";
import { emptyGroup, openResctrlFolder, read } from "./resctrl.ts";

setDefaultTimeout(60_000);

const { folder, makeTree } = openResctrlFolder();

/** init is this process's child here. */
function reapChildren(): void {
  for (const pid of listChildren()) loadLibc(installDir).waitpid(pid, null, 0);
}

describe("a container", () => {
  const ctx: Context = {
    ...base,
    root: join(folder, "state"),
    cwd: folder,
    now: () => new Date(),
    log: { ...base.log, warn: (message) => expect(message).toBe("") },
  };
  const bundle = join(folder, "bundle");
  makeRootfs(join(bundle, "rootfs"), Bun.which("busybox") ?? "/bin/busybox", ["sh", "sleep", "true"]);
  writeFileSync(join(bundle, "config.json"), JSON.stringify(makeConfig(["sleep", "100"])));
  const options = {
    configFile: "config.json",
    noPivot: false,
    noNewKeyring: false,
    preserveFds: 0,
    systemdCgroup: false,
  };

  /** As from a config with linux.intelRdt on a host whose resctrl is the tree. */
  function prepare(id: string, root: string, rdt: IntelRdt): ReturnType<typeof prepareContainer> {
    const prepared = prepareContainer(ctx, { ...options, id, bundle });
    const config = { ...prepared.config, linux: { ...prepared.config.linux, intelRdt: rdt } };
    return { ...prepared, config, resctrl: planResctrl(rdt, id, root) } as typeof prepared;
  }

  test("and its execs are in the group, update changes it, delete removes it", async () => {
    const root = makeTree();
    const id = `resctrl-${process.pid}-1`;
    const group = join(root, id);
    const { pid } = await createContainer(ctx, prepare(id, root, { l3CacheSchema: "L3:0=f" }));
    try {
      expect(read(group, "tasks")).toBe(String(pid));
      expect(read(group, "schemata")).toBe("L3:0=f\n");
      await startContainer(ctx, id);
      const pidFile = join(folder, "exec.pid");
      const rest = { env: [], tty: false, additionalGids: [], caps: [], noNewPrivs: false, cgroup: [] };
      const exec = { ...rest, id, args: ["sleep", "100"], detach: true, preserveFds: 0, ignorePaused: false };
      await execContainer(ctx, { ...exec, pidFile }, new EventEmitter());
      expect(read(group, "tasks")).toBe(read(pidFile));
      // A child of ours, without whose end that of the container's pid namespace is not complete.
      const execPid = Number(read(pidFile));
      process.kill(execPid, "SIGKILL");
      loadLibc(installDir).waitpid(execPid, null, 0);
      await updateContainer(ctx, id, {}, { l3CacheSchema: "L3:0=3", memBwSchema: "MB:0=50" });
      expect(read(group, "schemata")).toBe("L3:0=3\nMB:0=50\n");
    } finally {
      emptyGroup(group);
      await deleteContainer(ctx, id, { force: true });
      reapChildren();
    }
    expect(existsSync(group)).toBe(false);
  });

  test("that cannot be made leaves no group, not even by a name that it does not own", async () => {
    const root = makeTree();
    const id = `resctrl-${process.pid}-2`;
    const group = join(root, "gold");
    const injectFailure = ({ source }: Step): number | undefined => {
      if (source.path !== "linux.intelRdt") return undefined;
      emptyGroup(group);
      return 121;
    };
    const prepared = prepare(id, root, { closID: "gold", schemata: ["L3:0=1"] });
    await expect(createContainer(ctx, prepared, { injectFailure })).rejects.toThrow("join the resctrl group");
    expect(existsSync(group)).toBe(false);
    expect(existsSync(join(ctx.root, id))).toBe(false);
  });

  test("without a group gets one by update", async () => {
    const id = `resctrl-${process.pid}-3`;
    await createContainer(ctx, prepareContainer(ctx, { ...options, id, bundle }));
    try {
      await expect(updateContainer(ctx, id, {}, { memBwSchema: "MB:0=50" })).rejects.toThrow(
        "no resctrl file system is mounted",
      );
      expect(readRecord(ctx, id).resctrl).toBeUndefined();
    } finally {
      await deleteContainer(ctx, id, { force: true });
      reapChildren();
    }
  });
});
