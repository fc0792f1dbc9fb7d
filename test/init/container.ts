// Half a container: namespaces, root file system and mounts of a config, with an init that waits in them.
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createDevices } from "../../src/compile/devices.ts";
import type { CgroupMounts } from "../../src/compile/facts.ts";
import { openMountSources } from "../../src/compile/mount-sources.ts";
import { mountAll } from "../../src/compile/mounts.ts";
import {
  becomeRoot,
  createCgroupNamespace,
  createNamespaces,
  createUserNamespace,
  forkContainer,
  readNamespaces,
} from "../../src/compile/namespaces.ts";
import { maskPaths, protectPaths } from "../../src/compile/paths.ts";
import { enterRootfs } from "../../src/compile/pivot.ts";
import { openPrivateProcfs } from "../../src/compile/procfs.ts";
import { attachRootfs, createCwd, finishRootfs, setRootPropagation } from "../../src/compile/rootfs.ts";
import { writeSysctls } from "../../src/compile/sysctl.ts";
import { performInside } from "../../src/host/inside.ts";
import { collectFacts, parseMountInfo } from "../../src/host/probe.ts";
import { runPlan, type Session } from "../../src/host/session.ts";
import { PlanBuilder } from "../../src/plan/build.ts";
import { printPlan } from "../../src/plan/print.ts";
import type { HostStep } from "../../src/plan/step.ts";
import type { Config, Mount } from "../../src/spec/config.ts";
import { context, startInit, stopInit } from "./init.ts";

export const NO_CGROUPS: CgroupMounts = { hierarchies: [], links: [] };

export const PROC: Mount = { destination: "/proc", type: "proc", source: "proc" };
export const DEV: Mount = {
  destination: "/dev",
  type: "tmpfs",
  source: "tmpfs",
  options: ["nosuid", "strictatime", "mode=755", "size=65536k"],
};

export function makeConfig(change: Partial<Config> = {}): Config {
  return {
    ociVersion: "1.3.0",
    root: { path: "rootfs" },
    process: { args: ["sh"], cwd: "/", user: { uid: 0, gid: 0 } },
    mounts: [PROC, DEV],
    linux: {
      namespaces: (["pid", "mount", "ipc", "uts", "network"] as const).map((type) => ({ type })),
    },
    ...change,
  } as Config;
}

/** A bundle's directory with a root file system of busybox. */
export function makeBundle(): string {
  const bundle = realpathSync(mkdtempSync(join(tmpdir(), "tsrunc-init-")));
  chmodSync(bundle, 0o755);
  fillBundle(bundle);
  return bundle;
}

/** Makes the root file system of busybox in an empty bundle. */
export function fillBundle(bundle: string): void {
  for (const name of ["bin", "dev", "etc", "proc", "sys", "tmp"])
    mkdirSync(join(bundle, "rootfs", name), { recursive: true });
  copyFileSync(Bun.which("busybox") ?? "/bin/busybox", join(bundle, "rootfs/bin/busybox"));
  symlinkSync("busybox", join(bundle, "rootfs/bin/sh"));
}

export function removeBundle(bundle: string): void {
  rmSync(bundle, { recursive: true, force: true });
}

export interface Made {
  readonly session: Session;
  readonly pid: number;
  /** A path in the container, as this process sees it. */
  readonly path: (inside: string) => string;
  /** The mount on a path, the last one. */
  readonly line: (inside: string) => Line;
  readonly lines: readonly Line[];
}

export interface Line {
  readonly path: string;
  readonly root: string;
  readonly fsType: string;
  readonly options: readonly string[];
  readonly superOptions: readonly string[];
  readonly propagation: string;
}

export interface MakeOptions {
  readonly noPivot?: boolean;
  readonly cgroups?: CgroupMounts;
  /** Runs on the host after the sources are opened and before anything is mounted. */
  readonly meanwhile?: () => void;
  readonly injectFailure?: Session["injectFailure"];
  /** Runs on the host before init enters the root; gets init's pid. */
  readonly beforeEnter?: (pid: number) => void;
}

function compile(p: PlanBuilder, bundle: string, config: Config, options: MakeOptions): void {
  const facts = collectFacts(context, config, bundle, options.cgroups ?? NO_CGROUPS);
  const set = readNamespaces(config);
  const sources = openMountSources(p, config, facts);
  if (set.created.has("user")) {
    createUserNamespace(p, config, 0);
    becomeRoot(p);
  }
  createNamespaces(p, config, set);
  sources.receive();
  if (options.meanwhile) p.host({ do: "record-process" });
  forkContainer(p);
  if (set.created.has("cgroup")) createCgroupNamespace(p);
  const root = attachRootfs(p, config, facts, sources);
  const mounted = mountAll(p, config, facts, sources, root);
  createDevices(p, config, facts, root, sources);
  createCwd(p, config, root);
  if (options.beforeEnter) p.host({ do: "write-late-limits" });
  enterRootfs(p, config, facts, root, { noPivot: options.noPivot ?? false });
  finishRootfs(p, config, mounted);
  const procfs = openPrivateProcfs(p);
  writeSysctls(p, config, procfs);
  p.call("close", [procfs]);
  protectPaths(p, config);
  maskPaths(p, config, undefined);
  setRootPropagation(p, config);
}

/** Makes the container and runs `look`; everything is gone afterwards. */
export function withContainer<T>(
  bundle: string,
  config: Config,
  look: (made: Made) => T,
  options: MakeOptions = {},
): T {
  const session = startInit([], options.injectFailure);
  try {
    const p = new PlanBuilder();
    compile(p, bundle, config, options);
    if (process.env.PRINT_PLAN) process.stderr.write(printPlan(p.build()));
    runPlan(session, p.build(), ({ action, source }: HostStep) => {
      if (action.do === "copy-up" || action.do === "make-path") performInside(session, action, source);
      else if (action.do === "record-process") options.meanwhile?.();
      else if (action.do === "write-late-limits") options.beforeEnter?.(session.pid);
      else if (action.do === "write-proc")
        Bun.write(`/proc/${session.init.launcherPid}/${action.file}`, action.value);
      else throw new Error(`no host step ${action.do} is expected here`);
    });
    const { pid } = session;
    const lines = readMounts(pid);
    return look({
      session,
      pid,
      path: (inside) => `/proc/${pid}/root${inside}`,
      lines,
      line: (inside) => {
        const found = lines.findLast((line) => line.path === inside);
        if (!found) throw new Error(`no mount on ${inside}:\n${JSON.stringify(lines, null, 1)}`);
        return found;
      },
    });
  } finally {
    stopInit(session);
  }
}

function readMounts(pid: number): readonly Line[] {
  const text = readFileSync(`/proc/${pid}/mountinfo`, "utf8").trim();
  const points = parseMountInfo(text);
  return text.split("\n").map((line, i) => {
    const point = points[i];
    if (!point) throw new Error(`unreadable line ${line}`);
    return {
      path: point.path,
      root: point.root,
      fsType: point.fsType,
      propagation: point.propagation.join(" "),
      options: line.split(" ")[5]?.split(",") ?? [],
      superOptions: line.split(" - ")[1]?.split(" ")[2]?.split(",") ?? [],
    };
  });
}
