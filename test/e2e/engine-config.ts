// The fixed bundles of the budget and of `npm run bench`: what engines hand to a runtime, cut to what this machine
// and the peers have.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Config, type Hook, type Mount, makeConfig } from "./config.ts";

const fixtures = join(import.meta.dirname, "../../spec-fixtures/good");

function readFixture(name: string): Config {
  return JSON.parse(readFileSync(join(fixtures, `${name}.json`), "utf8")) as Config;
}

/**
 * Docker's default config as in spec-fixtures, with two volumes, a secret and two --tmpfs: 15 mounts, masked and
 * read-only paths, seccomp. `sources`: a directory in which the sources of the bind mounts are made. Left out is what
 * dockerd must be there for (its hook, its cgroup, its overlay), what Debian's peers do not know (the time namespace,
 * ociVersion) and what a host may lack (the AppArmor profile).
 */
export function makeDockerConfig(args: readonly string[], sources: string): Config {
  const config = readFixture("docker-28");
  config.ociVersion = "1.0.2";
  config.root = { path: "rootfs" };
  config.process = { ...config.process, args: [...args], terminal: false };
  delete (config.process as { apparmorProfile?: string }).apparmorProfile;
  delete config.hooks;
  delete config.linux.cgroupsPath;
  // Debian's crun writes Docker's -1 as it is, which the kernel refuses.
  config.linux.resources = { ...config.linux.resources, pids: { limit: 4096 } };
  config.linux.namespaces = config.linux.namespaces.filter(({ type }) => type !== "time");
  const made = makeSources(sources, ["resolv.conf", "hostname", "hosts", "app.conf", "token"], ["data"]);
  for (const mount of config.mounts)
    if (mount.type === "bind") mount.source = made(mount.destination.slice("/etc/".length));
  const tmpfs = (destination: string): Mount => ({
    destination,
    type: "tmpfs",
    source: "tmpfs",
    options: ["noexec", "nosuid", "nodev"],
  });
  config.mounts.push(
    bind(made("data"), "/data"),
    bind(made("app.conf"), "/etc/app.conf", "ro"),
    bind(made("token"), "/run/secrets/token", "ro"),
    tmpfs("/tmp"),
    tmpfs("/run/lock"),
  );
  return config;
}

/**
 * Docker's config with 60 mounts, Podman's seccomp profile and a hook at each of the five moments that are not
 * deprecated.
 */
export function makeHeavyConfig(args: readonly string[], sources: string): Config {
  const config = makeDockerConfig(args, sources);
  const { seccomp } = readFixture("podman-5").linux;
  if (seccomp) config.linux.seccomp = seccomp;
  const names = Array.from({ length: 60 - config.mounts.length }, (_, i) => `volume-${i}`);
  const made = makeSources(sources, [], names);
  for (const [i, name] of names.entries())
    config.mounts.push(bind(made(name), `/mnt/${name}`, i % 2 === 0 ? "rw" : "ro"));
  // It reads the state, as a hook does: Debian's crun fails when one ends before it has written that.
  const hook: Hook = { path: "/bin/sh", args: ["sh", "-c", "cat >/dev/null"], env: ["PATH=/bin"] };
  const moments = ["createRuntime", "createContainer", "startContainer", "poststart", "poststop"];
  config.hooks = Object.fromEntries(moments.map((moment) => [moment, [hook]]));
  return config;
}

/** The bundles by name. */
export const ENGINE_CONFIGS: Readonly<Record<string, (args: readonly string[], sources: string) => Config>> =
  {
    minimal: makeConfig,
    docker: makeDockerConfig,
    heavy: makeHeavyConfig,
  };

function bind(source: string, destination: string, ...options: string[]): Mount {
  return { destination, type: "bind", source, options: ["rbind", "rprivate", ...options] };
}

/** Makes files and directories; gives their paths by name. */
function makeSources(
  directory: string,
  files: readonly string[],
  directories: readonly string[],
): (name: string) => string {
  for (const name of directories) mkdirSync(join(directory, name), { recursive: true });
  for (const name of files) {
    mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, name), `${name}\n`);
  }
  return (name) => join(directory, name);
}
