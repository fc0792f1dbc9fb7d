// What the tests of an ordinary user's containers share.
import { beforeAll } from "bun:test";
import { spawnSync } from "node:child_process";
import { chownSync, cpSync, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { addUserNamespace, type Config } from "./config.ts";
import { type Bundle, executable, type Sandbox } from "./harness.ts";

/** A copy of the build where an ordinary user can read it, wherever the project is; gives the executable's path. */
export function installExecutable(directory: string): string {
  const installed = join(directory, "installed");
  cpSync(dirname(executable), installed, { recursive: true });
  return join(installed, "tsrunc");
}

/** A bundle that belongs to the user, as `runc spec --rootless` has it: root of the container is the user. */
export function makeUserBundle(
  box: Sandbox,
  user: number,
  args: readonly string[],
  change: (config: Config) => void = () => {},
): Bundle {
  const bundle = box.bundle(args, (config) => {
    addUserNamespace(config);
    config.linux.uidMappings = [{ containerID: 0, hostID: user, size: 1 }];
    config.linux.gidMappings = [{ containerID: 0, hostID: user, size: 1 }];
    for (const mount of config.mounts)
      if (mount.options) mount.options = mount.options.filter((option) => !option.startsWith("gid="));
    delete config.linux.resources;
    change(config);
  });
  Bun.spawnSync(["chown", "-R", `${user}:${user}`, bundle.directory]);
  return bundle;
}

/** An ordinary user of no name, without a cgroup of his own. */
export const USER = 54321;

export interface Answer {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Gives the user an executable and a directory for its state. */
export function openUser(box: Sandbox) {
  const tsrunc = join(box.directory, "installed/tsrunc");
  const runtimeDir = join(box.directory, "runtime-dir");
  beforeAll(() => {
    installExecutable(box.directory);
    mkdirSync(runtimeDir, { mode: 0o700 });
    chownSync(runtimeDir, USER, USER);
  });
  const spawn = ([program = "", ...args]: readonly string[], cwd = box.directory): Answer => {
    const env = { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", XDG_RUNTIME_DIR: runtimeDir };
    const stdio = ["ignore", "pipe", "pipe"] as const;
    const { status, stdout, stderr } = spawnSync(program, args, {
      cwd,
      env,
      stdio: [...stdio],
      timeout: 30_000,
    });
    return { status, stdout: stdout.toString(), stderr: stderr.toString() };
  };
  const asUser = (uid = USER): string[] => ["setpriv", `--reuid=${uid}`, `--regid=${uid}`, "--clear-groups"];
  return {
    tsrunc,
    runtimeDir,
    spawn,
    asUser,
    makeBundle: (args: readonly string[], change?: (config: Config) => void): Bundle =>
      makeUserBundle(box, USER, args, change),
    /** Runs the user's executable. */
    call: (...args: readonly string[]): Answer => spawn([...asUser(), tsrunc, ...args]),
    /** `create`: a pipe that the container holds open would keep the caller waiting. */
    create: (bundle: Bundle, id: string): Answer => {
      const command = `exec ${tsrunc} create --bundle ${bundle.directory} ${id} >/dev/null 2>&1`;
      return spawn([...asUser(), "sh", "-c", command]);
    },
  };
}
