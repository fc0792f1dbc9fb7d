// dockerd in the room, with a containerd of its own: tsrunc registered as README.md says, all data in the client's
// directory.
import { afterEach, beforeAll, expect } from "bun:test";
import { writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Result, RunOptions } from "../e2e/command.ts";
import { executable } from "../e2e/harness.ts";
import { type Client, hasOverlay, openClient, readSnippet } from "./client.ts";
import { split } from "./podman.ts";

export interface Docker {
  readonly client: Client;
  /** The words of `docker WORDS`. */
  readonly command: (words: string) => string[];
  readonly docker: (words: string, options?: RunOptions) => Promise<Result>;
  readonly ok: (words: string, options?: RunOptions) => Promise<string>;
  readonly inspect: (name: string, format: string) => Promise<string>;
  /** Runs a container in the background, uses it, and removes it. */
  readonly withContainer: (name: string, words: string, use: () => Promise<void>) => Promise<void>;
}

// Debian's, also where another stands before it in the path.
const command = (words: string): string[] => ["/usr/bin/docker", ...split(words)];

/** Registers dockerd's start, with the image loaded, its end, and the check that each test removes its containers. */
export function openDocker(name: string): Docker {
  const client = openClient(name, (directory) => ({
    DOCKER_HOST: `unix://${directory}/docker.sock`,
    DOCKER_CONFIG: join(directory, "cli"),
    DOCKER_BUILDKIT: "0",
    // dockerd's BuildKit asks no configuration for its runtime.
    DOCKER_BUILDKIT_RUNC_COMMAND: resolve(executable),
  }));
  const { directory } = client;
  const docker: Docker["docker"] = (words, options) => client.run(command(words), options);
  const ok: Docker["ok"] = (words, options) => client.ok(command(words), options);
  beforeAll(async () => {
    const configuration = join(directory, "daemon.json");
    writeFileSync(configuration, readSnippet("/etc/docker/daemon.json"));
    await client.daemon(
      [
        "dockerd",
        ...["--config-file", configuration, "--host", `unix://${directory}/docker.sock`],
        ...["--data-root", join(directory, "data"), "--exec-root", join(directory, "exec")],
        ...["--pidfile", join(directory, "docker.pid"), "--cgroup-parent", client.cgroup],
        ...["--exec-opt", "native.cgroupdriver=cgroupfs"],
        ...["--storage-driver", hasOverlay(directory) ? "overlay2" : "vfs"],
      ],
      async () => (await docker("version")).status === 0,
    );
    await ok(`load --quiet --input ${client.archive()}`);
  });
  afterEach(async () => {
    const left = await ok("ps --all --quiet");
    if (left !== "") await docker(`rm --force --volumes ${left.replaceAll("\n", " ")}`);
    expect(left).toBe("");
  });
  return {
    client,
    command,
    docker,
    ok,
    inspect: (container, format) => ok(`inspect --format '${format}' ${container}`),
    withContainer: async (container, words, use) => {
      await ok(`run --detach --name ${container} ${words}`);
      try {
        await use();
      } finally {
        await ok(`rm --force --volumes ${container}`);
      }
    },
  };
}
