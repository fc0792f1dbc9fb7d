// What the tests of real container engines share: a directory in the room, commands, daemons, and the check that
// nothing is left. See room.sh for what is private to a test file.
import { afterAll, beforeAll, expect, setDefaultTimeout } from "bun:test";
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, openSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { type Result, type RunOptions, startCommand } from "../e2e/command.ts";
import { executable } from "../e2e/harness.ts";
import { listCgroups, listMounts } from "../e2e/leftovers.ts";
import { runOnPty, type Terminal } from "../e2e/terminals.ts";
import { makeImageArchive } from "./image.ts";

export interface Client {
  /** A directory of this test file, in the room's tmpfs. */
  readonly directory: string;
  /** The parent of every cgroup that the engine makes; the name occurs nowhere else. */
  readonly cgroup: string;
  /** The image, as `docker save` writes it. */
  readonly archive: () => string;
  /** Runs a command to its end. */
  readonly run: (words: readonly string[], options?: RunOptions) => Promise<Result>;
  /** Runs a command, expects status 0 and returns its output without the last newline. */
  readonly ok: (words: readonly string[], options?: RunOptions) => Promise<string>;
  readonly onPty: (words: readonly string[]) => Terminal;
  /** Starts a daemon, waits until it is ready; it is ended by its pid after the last test. */
  readonly daemon: (
    words: readonly string[],
    isReady: () => boolean | Promise<boolean>,
  ) => Promise<ChildProcess>;
}

/** A container's cgroup, below the test's: pods of podman's and its monitors leave theirs, with runc too. */
const isContainer = /\/(libpod-|ctr-|buildah-)|-(docker|cri)-.*\/[0-9a-f]{64}$/;

/** Opens a test file's client; `configure` gives the environment of each of its commands and daemons. */
export function openClient(
  name: string,
  configure: (directory: string) => Readonly<Record<string, string>> = () => ({}),
): Client {
  if (!readFileSync("/proc/self/mounts", "utf8").includes("tsrunc-clients /run tmpfs"))
    throw new Error("not in the room: start the tests with npm run test:clients");
  setDefaultTimeout(60_000);
  mkdirSync("/run/clients", { recursive: true });
  const directory = mkdtempSync(`/run/clients/${name}-`);
  const output = join(directory, "output");
  mkdirSync(output);
  const env = configure(directory);
  const cgroup = `/tsrunc-clients-${name}-${directory.slice(-6)}`;
  const daemons: { child: ChildProcess; log: string }[] = [];
  let archive = "";

  const run: Client["run"] = (words, options = {}) =>
    startCommand(output, words, { timeout: 40_000, ...options, env: { ...env, ...options.env } }).result;
  const ok: Client["ok"] = async (words, options) => {
    const { status, stdout, stderr } = await run(words, options);
    if (status !== 0) throw new Error(`${words.join(" ")}: status ${status}\n${stdout}${stderr}`);
    return stdout.replace(/\n$/, "");
  };
  beforeAll(() => {
    archive = makeImageArchive(directory);
  });
  afterAll(async () => {
    for (const { child, log } of daemons.reverse()) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const ended = new Promise((done) => child.once("exit", done));
      child.kill("SIGTERM");
      const late = setTimeout(() => child.kill("SIGKILL"), 20_000);
      await ended;
      clearTimeout(late);
      if (process.env.TSRUNC_CLIENTS_VERBOSE) process.stderr.write(readFileSync(log, "utf8"));
    }
    // An engine keeps its own mounts and parents of cgroups; a container's may not outlive it.
    const left = [
      ...listMounts([directory]).filter((line) => /\/(merged|rootfs|mounts\/[^ ]*|shm)( |$)/.test(line)),
      ...listCgroups("").filter((path) => path.includes(cgroup) && isContainer.test(path)),
    ];
    expect(left).toEqual([]);
  }, 60_000);
  return {
    directory,
    cgroup,
    archive: () => archive,
    run,
    ok,
    onPty: (words) => runOnPty(words, directory, env),
    daemon: async (words, isReady) => {
      const log = join(directory, `daemon-${daemons.length}.log`);
      const [program, ...args] = words as [string, ...string[]];
      const fd = openSync(log, "a");
      const child = spawn(program, args, {
        cwd: directory,
        env: { PATH: process.env.PATH ?? "/usr/sbin:/usr/bin:/sbin:/bin", ...env },
        stdio: ["ignore", fd, fd],
      });
      const end = Date.now() + 30_000;
      while (!(await isReady())) {
        if (child.exitCode !== null || Date.now() > end) {
          child.kill("SIGKILL");
          throw new Error(`${program} is not ready:\n${readFileSync(log, "utf8").slice(-3000)}`);
        }
        await Bun.sleep(100);
      }
      daemons.push({ child, log });
      return child;
    },
  };
}

/**
 * The block that README.md shows for a file, with the executable under test in the place of the installed one. `engine`
 * are the words before the file's, where there is more than one block for it. `runtime`: that executable.
 */
export function readSnippet(file: string, engine = "", runtime = executable): string {
  const readme = readFileSync(resolve(import.meta.dirname, "../../README.md"), "utf8");
  const [, block] = readme.split(`${engine}\`${file}\`:\n\n`);
  const lines = block?.split("\n") ?? [];
  const end = lines.findIndex((line) => line !== "" && !line.startsWith("    "));
  const text = lines
    .slice(0, end)
    .map((line) => line.slice(4))
    .join("\n");
  if (!text.includes("/usr/local/bin/tsrunc")) throw new Error(`README.md shows no ${file}`);
  return text.replaceAll("/usr/local/bin/tsrunc", resolve(runtime));
}

/** True when this kernel lets overlayfs be mounted in the directory. */
export function hasOverlay(directory: string): boolean {
  const dirs = ["lower", "upper", "work", "merged"].map((name) => join(directory, "overlay-probe", name));
  for (const path of dirs) mkdirSync(path, { recursive: true });
  const [lower, upper, work, merged] = dirs as [string, string, string, string];
  const options = `lowerdir=${lower},upperdir=${upper},workdir=${work}`;
  if (Bun.spawnSync(["mount", "-t", "overlay", "overlay", "-o", options, merged]).exitCode !== 0)
    return false;
  return Bun.spawnSync(["umount", merged]).exitCode === 0;
}
