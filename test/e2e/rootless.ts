// What the tests of an ordinary user's containers share.
import { cpSync } from "node:fs";
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
