// Podman in the room: its state and images in the client's directory, tsrunc registered as README.md says.

import { afterEach, beforeAll, expect } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Result, RunOptions } from "../e2e/command.ts";
import { executable } from "../e2e/harness.ts";
import type { Terminal } from "../e2e/terminals.ts";
import { type Client, hasOverlay, readSnippet } from "./client.ts";

export interface Podman {
  /** `podman WORDS`. */
  readonly run: (words: string, options?: RunOptions) => Promise<Result>;
  readonly ok: (words: string, options?: RunOptions) => Promise<string>;
  readonly inspect: (name: string, format: string) => Promise<string>;
  readonly onPty: (words: string) => Terminal;
}

/** Words as a shell would have them, with '...' for a word with spaces. */
export const split = (line: string): string[] =>
  (line.match(/(?:[^\s']|'[^']*')+/g) ?? []).map((word) => word.replaceAll("'", ""));

/** Writes the configuration; returns the environment that points engines at it. */
export function configurePodman(directory: string, runtime = executable): Record<string, string> {
  const file = join(directory, "containers.conf");
  writeFileSync(file, readSnippet("/etc/containers/containers.conf", "", runtime));
  // Podman 5 would warn with every command on a host of cgroup v1.
  return { CONTAINERS_CONF: file, PODMAN_IGNORE_CGROUPSV1_WARNING: "1" };
}

/** The global options of podman and buildah that keep their data in the directory. */
export function placeStorage(directory: string): string[] {
  const driver = hasOverlay(directory) ? "overlay" : "vfs";
  return [
    "--root",
    join(directory, "graph"),
    "--runroot",
    join(directory, "run"),
    "--storage-driver",
    driver,
  ];
}

/**
 * Registers podman's set-up, with the image loaded, and the check that each test removes its containers. `asUser` are
 * the words before podman that make it an ordinary user's, whose containers stay in the cgroups that they are started in.
 */
export function openPodman(client: Client, asUser: readonly string[] = []): Podman {
  const base = [
    ...asUser,
    "podman",
    ...placeStorage(client.directory),
    ...[
      "--tmpdir",
      join(client.directory, "libpod"),
      "--cgroup-manager",
      "cgroupfs",
      "--events-backend",
      "file",
    ],
  ];
  // Containers and pods get a cgroup of this test's, and no network: none of the tests is about networks.
  const placed = [...(asUser.length > 0 ? [] : [`--cgroup-parent=${client.cgroup}`]), "--network=none"];
  const command = (line: string): string[] => {
    const words = split(line);
    const globals = words[0] === "--runtime" ? words.splice(0, 2) : [];
    const verb = words.splice(0, words[0] === "pod" ? 2 : 1);
    const makes = ["run", "create", "pod create"].includes(verb.join(" "));
    // A pod's containers are placed where it is.
    const places = makes && !words.some((word) => word.startsWith("--pod"));
    return [...base, ...globals, ...verb, ...(places ? placed : []), ...words];
  };
  const ok: Podman["ok"] = (words, options) => client.ok(command(words), options);
  const inspect: Podman["inspect"] = (name, format) => ok(`inspect --format '${format}' ${name}`);
  beforeAll(async () => {
    await ok(`load --quiet --input ${client.archive()}`);
  });
  afterEach(async () => {
    const left = await ok("ps --all --format {{.Names}}");
    if (left !== "") await ok("pod rm --all --force");
    if (left !== "") await ok("rm --all --force --time 0");
    expect(left).toBe("");
  });
  return {
    run: (words, options) => client.run(command(words), options),
    ok,
    inspect,
    onPty: (words) => client.onPty(command(words)),
  };
}
