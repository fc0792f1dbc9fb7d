// Drives the built executable on real bundles. A sandbox is one test file's temporary directory, state root and
// family of container ids; after each test it checks that the host is as it was, and cleans up if it is not.
import { afterAll, afterEach, beforeAll, beforeEach, expect, setDefaultTimeout } from "bun:test";
import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import { type Result, type RunOptions, type Started, startCommand } from "./command.ts";
import { type Config, makeConfig } from "./config.ts";
import { noteHost, restoreHost } from "./host-guard.ts";
import { listLeftovers, listMounts, listProcesses } from "./leftovers.ts";

const projectDirectory = resolve(import.meta.dirname, "../..");

/** The executable under test: dist/tsrunc, or $TSRUNC (so that a peer can prove the tests themselves). */
export const executable: string = process.env.TSRUNC ?? join(projectDirectory, "dist/tsrunc");
/** True when a peer is under test: what tsrunc does better than Debian's peers is then skipped. */
export const isPeer: boolean = basename(executable) !== "tsrunc";

export interface Bundle {
  readonly directory: string;
  readonly rootfs: string;
  /** Changes config.json. */
  readonly edit: (change: (config: Config) => void) => void;
}

/** Makes a root file system of Debian's busybox-static: its applets, users root and user (1000), empty mount points. */
export function makeRootfs(rootfs: string, busybox: string, applets: readonly string[]): void {
  for (const name of [
    "bin",
    "dev",
    "etc",
    "home/user",
    "proc",
    "root",
    "run",
    "sys",
    "tmp",
    "usr/bin",
    "var",
  ])
    mkdirSync(join(rootfs, name), { recursive: true });
  chmodSync(join(rootfs, "tmp"), 0o1777);
  linkSync(busybox, join(rootfs, "bin/busybox"));
  for (const applet of applets) if (applet !== "busybox") symlinkSync("busybox", join(rootfs, "bin", applet));
  writeFileSync(
    join(rootfs, "etc/passwd"),
    "root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000:user:/home/user:/bin/sh\n",
  );
  writeFileSync(join(rootfs, "etc/group"), "root:x:0:\nuser:x:1000:\n");
}

export interface Sandbox {
  readonly directory: string;
  readonly root: string;
  /** A new container id; all of a sandbox's ids begin alike and occur nowhere else. */
  readonly id: () => string;
  readonly bundle: (args: readonly string[], change?: (config: Config) => void) => Bundle;
  /** Runs the executable under test with this sandbox's --root, to its end. */
  readonly run: (args: readonly string[], options?: RunOptions) => Promise<Result>;
  readonly start: (args: readonly string[], options?: RunOptions) => Started;
  /** Runs and expects status 0; returns the output. */
  readonly ok: (args: readonly string[], options?: RunOptions) => Promise<Result>;
  /** `run` of a new container with these args: the shortest way to look from the inside. */
  readonly look: (
    args: readonly string[],
    change?: (config: Config) => void,
    options?: RunOptions,
  ) => Promise<Result>;
  /** The same sandbox, driving a peer with a state root of its own. */
  readonly withPeer: (peer: "runc" | "crun") => Pick<Sandbox, "run" | "ok" | "look" | "root">;
  readonly leftovers: () => string[];
}

/** Opens a sandbox for one test file and registers its checks. */
export function openSandbox(theme: string): Sandbox {
  setDefaultTimeout(60_000);
  const directory = mkdtempSync(join(tmpdir(), `tsrunc-e2e-${theme}-`));
  chmodSync(directory, 0o755);
  const idPrefix = `e2e-${theme}-${basename(directory).slice(-6)}-`;
  const output = join(directory, "output");
  mkdirSync(output);
  const roots = new Map<string, string>();
  let count = 0;
  let peerRan = isPeer;
  let applets: string[] = [];
  const busybox = join(directory, "busybox");

  const id = (): string => {
    count += 1;
    return `${idPrefix}${count}`;
  };
  const bundle = (args: readonly string[], change?: (config: Config) => void): Bundle => {
    count += 1;
    const path = join(directory, `bundle-${count}`);
    const rootfs = join(path, "rootfs");
    makeRootfs(rootfs, busybox, applets);
    const config = makeConfig(args);
    const file = join(path, "config.json");
    const edit = (edited: (config: Config) => void): void => {
      edited(config);
      writeFileSync(file, JSON.stringify(config));
    };
    edit((fresh) => change?.(fresh));
    return { directory: path, rootfs, edit };
  };
  const bind = (program: string) => {
    const root = join(directory, `state-${basename(program)}`);
    roots.set(program, root);
    const start = (args: readonly string[], options: RunOptions = {}): Started =>
      startCommand(output, [program, "--root", root, ...args], options);
    const run = (args: readonly string[], options: RunOptions = {}): Promise<Result> =>
      start(args, options).result;
    const ok = async (args: readonly string[], options: RunOptions = {}): Promise<Result> => {
      const result = await run(args, options);
      expect({ command: args.join(" "), status: result.status, stderr: result.stderr }).toMatchObject({
        status: 0,
      });
      return result;
    };
    const look: Sandbox["look"] = (args, change, options) =>
      run(["run", "--bundle", bundle(args, change).directory, id()], options);
    return { root, start, run, ok, look };
  };
  const main = bind(executable);
  const leftovers = (): string[] => listLeftovers(directory, idPrefix, [...roots.values()]);

  beforeAll(() => {
    const listed = Bun.spawnSync(["busybox", "--list"]);
    applets = listed.stdout.toString().trim().split("\n");
    writeFileSync(busybox, readFileSync(Bun.which("busybox") ?? "/bin/busybox"));
    chmodSync(busybox, 0o755);
  });
  let noted = noteHost();
  beforeEach(() => {
    noted = noteHost();
  });
  afterEach(async () => {
    // Debian's crun and runc give the host's /dev/null to the container's user: put back, but not what is tested.
    const changed = restoreHost(noted).filter((line) => !(peerRan && line.startsWith("/dev/null ")));
    const left = await settle(leftovers);
    if (left.length > 0) await cleanUp(directory, idPrefix, roots);
    expect([...changed, ...left]).toEqual([]);
  });
  afterAll(() => {
    if (listMounts([directory]).length === 0) rmSync(directory, { recursive: true, force: true });
  });
  return {
    directory,
    id,
    bundle,
    ...main,
    withPeer: (peer) => {
      peerRan = true;
      return bind(peer);
    },
    leftovers,
  };
}

/** Killed processes need a moment to go: what is left is judged after at most two seconds. */
async function settle(list: () => string[]): Promise<string[]> {
  let left = list();
  for (let tries = 0; left.length > 0 && tries < 40; tries += 1) {
    await Bun.sleep(50);
    left = list();
  }
  return left;
}

/** Makes the host clean again after a test that failed, so that the next one starts fair. */
async function cleanUp(
  directory: string,
  idPrefix: string,
  roots: ReadonlyMap<string, string>,
): Promise<void> {
  for (const [program, root] of roots) {
    if (!existsSync(root)) continue;
    for (const id of readdirSync(root)) Bun.spawnSync([program, "--root", root, "delete", "--force", id]);
    rmSync(root, { recursive: true, force: true });
  }
  for (const { pid } of listProcesses([directory, idPrefix])) process.kill(pid, "SIGKILL");
  await Bun.sleep(100);
  for (const line of listMounts([directory]).reverse())
    Bun.spawnSync(["umount", "-l", line.split(" ")[4] ?? ""]);
  Bun.spawnSync([
    "sh",
    "-c",
    `find /sys/fs/cgroup -depth -type d -path "*${idPrefix}*" -exec rmdir {} \\; 2>/dev/null`,
  ]);
}

export type { Result, RunOptions, Started } from "./command.ts";

/** Waits until the condition holds; fails after the given milliseconds. */
export async function waitFor<T>(
  what: string,
  look: () => T | Promise<T>,
  limit = 5000,
): Promise<NonNullable<T>> {
  const end = Date.now() + limit;
  for (;;) {
    const value = await look();
    if (value) return value;
    if (Date.now() > end) throw new Error(`waited in vain for ${what}`);
    await Bun.sleep(10);
  }
}

/** The status that `state` reports, or undefined when the container does not exist. */
export async function readStatus(box: Pick<Sandbox, "run">, id: string): Promise<string | undefined> {
  const result = await box.run(["state", id]);
  return result.status === 0 ? (JSON.parse(result.stdout) as { status: string }).status : undefined;
}
