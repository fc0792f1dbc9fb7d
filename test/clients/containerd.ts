// containerd in the room: its state in the client's directory, tsrunc registered as README.md says.
import { beforeAll } from "bun:test";
import type { ChildProcess } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Client, hasOverlay, readSnippet } from "./client.ts";
import { call } from "./image.ts";
import { split } from "./podman.ts";

export interface Containerd {
  readonly socket: string;
  /** The path of its configuration. */
  readonly configuration: string;
  readonly snapshotter: string;
  /** The words of `ctr WORDS`. */
  readonly ctr: (words: string) => string[];
  /** Starts the daemon, after the configuration was written: before the first test. */
  readonly start: () => Promise<ChildProcess>;
}

/** Registers the writing of the configuration: README.md's for this version, and `more`. */
export function openContainerd(client: Client, more: (snapshotter: string) => string = () => ""): Containerd {
  const { directory } = client;
  const socket = join(directory, "containerd.sock");
  const configuration = join(directory, "config.toml");
  const snapshotter = hasOverlay(directory) ? "overlayfs" : "native";
  const ctr: Containerd["ctr"] = (words) => ["ctr", "--address", socket, ...split(words)];
  beforeAll(() => {
    const version = call("containerd", "--version").match(/ v?(\d+)\.\d+\./)?.[1];
    const snippet = readSnippet("/etc/containerd/config.toml", `containerd ${version} for Kubernetes, in `);
    const opt = `\n[plugins."io.containerd.internal.v1.opt"]\npath = "${join(directory, "opt")}"\n`;
    writeFileSync(configuration, snippet + opt + more(snapshotter));
  });
  return {
    socket,
    configuration,
    snapshotter,
    ctr,
    start: () =>
      client.daemon(
        [
          "containerd",
          ...["--config", configuration, "--address", socket],
          ...["--root", join(directory, "root"), "--state", join(directory, "state")],
        ],
        async () => (await client.run(ctr("version"))).status === 0,
      ),
  };
}
