// A mount namespace that is joined by path: as with runc, the container's root takes the place of its root.
import { afterEach, expect, test } from "bun:test";
import { readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { executable, isPeer, openSandbox } from "./harness.ts";
import { makeHolders, setPath } from "./namespaces.ts";

const holdNamespaces = makeHolders(afterEach);
const box = openSandbox("namespaces-mount"); // whose checks come after the holders' end
const ours = test.skipIf(isPeer);

/** Mount points of a process, in their order. */
const listMountPoints = (directory: string): readonly string[] =>
  readFileSync(join(directory, "mountinfo"), "utf8")
    .trim()
    .split("\n")
    .map((line) => line.split(" ")[4] as string);

test("holds the container's root, mounts and bind sources, and keeps them when the container is gone", async () => {
  const namespace = await holdNamespaces(["--mount", "--propagation=private"]);
  const holder = dirname(namespace);
  const id = box.id();
  const source = join(box.directory, "source");
  writeFileSync(source, "of the host\n");
  const bundle = box.bundle(["sleep", "1000"], (config) => {
    setPath(config, "mount", `${namespace}/mnt`);
    config.mounts.push({ destination: "/bound", type: "bind", source, options: ["bind", "ro"] });
  });
  await box.ok(["run", "--detach", "--bundle", bundle.directory, id]);
  const { pid } = JSON.parse((await box.ok(["state", id])).stdout) as { pid: number };
  expect(readlinkSync(`/proc/${pid}/ns/mnt`)).toBe(readlinkSync(`${namespace}/mnt`));
  const points = listMountPoints(`/proc/${pid}`);
  expect(points).toContain("/bound");
  expect(points).toContain("/proc");
  expect(points.filter((path) => path === "/")).toHaveLength(1); // nothing of the old root is left below or above
  expect(await box.ok(["exec", id, "cat", "/bound"])).toMatchObject({ stdout: "of the host\n" });
  expect(await box.run(["exec", id, "sh", "-c", "echo x >/bound"])).toMatchObject({ status: 1 });
  expect(listMountPoints(holder)).toEqual(points);
  await box.ok(["delete", "--force", id]);
  expect(listMountPoints(holder)).toEqual(points);
});

ours("its bind sources are the runtime's, whatever lies over them in the namespace", async () => {
  const namespace = await holdNamespaces(["--mount", "--propagation=private"]);
  const source = join(box.directory, "hidden");
  Bun.spawnSync(["mkdir", source]);
  writeFileSync(join(source, "file"), "of the host\n");
  const cover = ["nsenter", `--mount=${namespace}/mnt`, "mount", "-t", "tmpfs", "cover", source];
  expect(Bun.spawnSync(cover).exitCode).toBe(0);
  const result = await box.look(["cat", "/mnt/file"], (config) => {
    setPath(config, "mount", `${namespace}/mnt`);
    config.mounts.push({ destination: "/mnt", type: "bind", source, options: ["bind"] });
  });
  expect(result).toMatchObject({ status: 0, stdout: "of the host\n", stderr: "" });
});

ours(
  "another container's has no place for the root file system: an error that says so, and no change there",
  async () => {
    const other = box.id();
    await box.ok(["run", "--detach", "--bundle", box.bundle(["sleep", "1000"]).directory, other]);
    const { pid } = JSON.parse((await box.ok(["state", other])).stdout) as { pid: number };
    const before = readFileSync(`/proc/${pid}/mountinfo`, "utf8");
    const bundle = box.bundle(["true"], (config) => setPath(config, "mount", `/proc/${pid}/ns/mnt`));
    const result = await box.run(["run", "--bundle", bundle.directory, box.id()]);
    expect(result.status).toBe(1);
    expect(result.stderr).toContain(
      `root.path: find ${bundle.rootfs} in the mount namespace of linux.namespaces[5]: no such file or directory`,
    );
    expect(readFileSync(`/proc/${pid}/mountinfo`, "utf8")).toBe(before);
    expect((await box.ok(["exec", other, "cat", "/etc/group"])).stdout).toContain("root:x:0:");
    await box.ok(["delete", "--force", other]);
  },
);

ours("the runtime's own is refused: the host's root would be replaced", () => {
  const bundle = box.bundle(["true"], (config) => setPath(config, "mount", "/proc/self/ns/mnt"));
  // In a mount namespace of the test's own, should it ever be taken.
  const command = [executable, "--root", box.root, "run", "--bundle", bundle.directory, box.id()];
  const result = Bun.spawnSync(["unshare", "--mount", "--propagation=private", ...command]);
  expect(result.exitCode).toBe(1);
  expect(result.stderr.toString()).toMatch(
    /linux\.namespaces\[\d\]\.path: \/proc\/self\/ns\/mnt is the runtime's own mount namespace/,
  );
});

ours("with a new user namespace it is refused, since that has no right over its mounts", async () => {
  const namespace = await holdNamespaces(["--mount", "--propagation=private"]);
  const before = listMountPoints(dirname(namespace));
  const result = await box.look(["true"], (config) => {
    setPath(config, "mount", `${namespace}/mnt`);
    config.linux.namespaces.push({ type: "user" });
    config.linux.uidMappings = [{ containerID: 0, hostID: 100000, size: 65536 }];
    config.linux.gidMappings = [{ containerID: 0, hostID: 100000, size: 65536 }];
  });
  expect(result.status).toBe(1);
  expect(result.stderr).toContain("operation not permitted");
  expect(listMountPoints(dirname(namespace))).toEqual(before);
});
