// An image of Debian's busybox-static, made here: no registry is asked.
import { createHash } from "node:crypto";
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeRootfs } from "../e2e/harness.ts";

/** The image's name in every engine: complete, because containerd takes it literally. */
export const image = "localhost/busybox:latest";

/** Runs a program that must succeed; returns its output. */
export function call(...words: [string, ...string[]]): string {
  const { exitCode, stdout, stderr } = Bun.spawnSync(words);
  if (exitCode !== 0) throw new Error(`${words.join(" ")}: status ${exitCode}: ${stderr}`);
  return stdout.toString();
}

const sha256 = (path: string): string => createHash("sha256").update(readFileSync(path)).digest("hex");

/** Writes `docker save`'s format, which docker, podman, buildah and ctr all load; returns the archive's path. */
function pack(work: string, name: string, settings: Readonly<Record<string, unknown>>): string {
  call("tar", "--create", "--file", join(work, "layer.tar"), "--directory", join(work, "rootfs"), ".");
  const config = {
    architecture: process.arch === "arm64" ? "arm64" : "amd64",
    os: "linux",
    created: "2024-01-01T00:00:00Z",
    config: settings,
    rootfs: { type: "layers", diff_ids: [`sha256:${sha256(join(work, "layer.tar"))}`] },
    history: [{ created: "2024-01-01T00:00:00Z", created_by: "test" }],
  };
  writeFileSync(join(work, "config.json"), JSON.stringify(config));
  writeFileSync(
    join(work, "manifest.json"),
    JSON.stringify([{ Config: "config.json", RepoTags: [name], Layers: ["layer.tar"] }]),
  );
  const archive = `${work}.tar`;
  call(
    "tar",
    "--create",
    "--file",
    archive,
    "--directory",
    work,
    "manifest.json",
    "config.json",
    "layer.tar",
  );
  return archive;
}

/** Makes the archive of busybox, below the directory; returns its path. */
export function makeImageArchive(directory: string): string {
  const work = join(directory, "image");
  mkdirSync(work);
  copyFileSync("/bin/busybox", join(work, "busybox"));
  makeRootfs(join(work, "rootfs"), join(work, "busybox"), call("busybox", "--list").trim().split("\n"));
  return pack(work, image, { Cmd: ["sh"], Env: ["PATH=/usr/bin:/bin"], WorkingDir: "/" });
}

/** The image of a pod's first container, as Kubernetes has it: a static program that waits, and reaps orphans. */
export const pauseImage = "localhost/pause:latest";

/** Makes the archive of the pause image; returns its path. */
export function makePauseArchive(directory: string): string {
  const work = join(directory, "pause");
  mkdirSync(join(work, "rootfs"), { recursive: true });
  copyFileSync("/usr/bin/catatonit", join(work, "rootfs/catatonit"));
  return pack(work, pauseImage, { Entrypoint: ["/catatonit", "-P"], WorkingDir: "/" });
}
