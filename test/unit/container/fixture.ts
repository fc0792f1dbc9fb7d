// A root folder with containers in it, whose first processes are what a test wants them to be.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ContainerRecord } from "../../../src/container/record.ts";
import { createContainerDir, writeRecord } from "../../../src/container/store.ts";
import type { Context } from "../../../src/context.ts";
import { readProcessStat } from "../../../src/host/process-stat.ts";

const CPU = process.arch === "arm64" ? "arm64" : "x64";
/** The package's own folder of the addon: these tests need no build. */
const ADDON = `node_modules/@koromix/koffi-linux-${CPU}/linux_${CPU}`;

export interface Fixture {
  readonly ctx: Context;
  readonly warnings: string[];
  /** Writes a record, with a directory for it. */
  readonly add: (id: string, values?: Partial<ContainerRecord>) => ContainerRecord;
  /** Starts a process that lives until it is signalled. */
  readonly spawn: (script?: string) => Promise<Process>;
  readonly remove: () => Promise<void>;
}

export interface Process {
  readonly pid: number;
  readonly startTime: string;
  readonly child: ChildProcess;
}

export function makeFixture(): Fixture {
  const folder = mkdtempSync(join(tmpdir(), "tsrunc-container-"));
  const warnings: string[] = [];
  const children: ChildProcess[] = [];
  const log = {
    debug: () => {},
    info: () => {},
    warn: (message: string) => void warnings.push(message),
    error: (message: string) => void warnings.push(message),
  };
  const ctx: Context = {
    cwd: folder,
    env: {},
    stdio: [0, 1, 2],
    inheritedFds: [],
    euid: 0,
    egid: 0,
    log,
    now: () => new Date(),
    installDir: join(import.meta.dirname, "../../..", ADDON),
    root: join(folder, "root"),
  };
  return {
    ctx,
    warnings,
    add(id, values = {}) {
      const record = { ...makeRecord(id), ...values };
      createContainerDir(ctx, id);
      writeRecord(ctx, record);
      return record;
    },
    async spawn(script = "read line") {
      const child = spawn("/bin/sh", ["-c", `echo ready; ${script}`], { stdio: ["pipe", "pipe", "inherit"] });
      children.push(child);
      await once(child.stdout as NodeJS.ReadableStream, "data");
      const pid = child.pid as number;
      return { child, pid, startTime: readProcessStat(pid)?.startTime as string };
    },
    async remove() {
      for (const child of children) {
        if (child.exitCode !== null || child.signalCode !== null) continue;
        child.kill("SIGKILL");
        await once(child, "exit");
      }
      rmSync(folder, { recursive: true });
    },
  };
}

export function makeRecord(id: string): ContainerRecord {
  return {
    version: 1,
    id,
    ociVersion: "1.3.0",
    bundle: "/bundle",
    rootfs: "/bundle/rootfs",
    created: "2026-01-02T03:04:05.670000000Z",
    annotations: {},
    owner: 0,
    phase: "created",
    pid: 0,
    startTime: "0",
    cgroup: null,
    ownsCgroup: false,
    hooks: { startContainer: [], poststart: [], poststop: [] },
    hasOwnPidNamespace: true,
    keptMounts: null,
    seccompAgent: null,
  };
}
