// Id-mapped mounts: several, with other options, on files, where they cannot be, and as crun has them.
import { describe, expect, test } from "bun:test";
import { readdirSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { addUserNamespace, dropNamespace } from "./config.ts";
import { isPeer } from "./harness.ts";
import { bind, openIdmapSandbox, owner, to, withMount } from "./idmap.ts";

const { box, makeVolume, runOn } = openIdmapSandbox("idmap-mounts");
const ours = test.skipIf(isPeer);

const hasCrun = Bun.which("crun") !== null;

test("ro and idmap together; the mount says that it is id-mapped, the source's own mount does not", async () => {
  const volume = makeVolume();
  const script = "grep ' /data ' /proc/self/mountinfo; stat -c %u /data/user; touch /data/new";
  const result = await box.look(
    ["sh", "-c", script],
    withMount(bind(volume, ["bind", "ro", "idmap"], to(1000, 0))),
  );
  const [line = "", uid] = result.stdout.split("\n");
  const options = (line.split(" ")[5] ?? "").split(",");
  expect(options).toContain("ro");
  expect(options).toContain("idmapped");
  expect(uid).toBe("0");
  expect(result.stderr).toContain("Read-only file system");
  expect(owner(join(volume, "user"))).toBe("1000:1000");
});

ours("mounts with the same maps and with others", async () => {
  const [one, other] = [makeVolume(), makeVolume()];
  const result = await box.look(["stat", "-c", "%u", "/one/user", "/two/user", "/three/user"], (config) => {
    config.mounts.push({ ...bind(one, ["bind", "idmap"], to(1000, 1)), destination: "/one" });
    config.mounts.push({ ...bind(other, ["bind", "idmap"], to(1000, 2)), destination: "/two" });
    config.mounts.push({ ...bind(other, ["bind", "idmap"], to(1000, 1)), destination: "/three" });
  });
  expect(result.stdout.trim().split("\n")).toEqual(["1", "2", "1"]);
});

ours("a file as the source, in the host's mount namespace too", async () => {
  const volume = makeVolume();
  const mount = { ...bind(join(volume, "user"), ["bind", "idmap"], to(1000, 0)), destination: "/user" };
  const result = await box.look(["stat", "-c", "%u", "/user"], (config) => {
    dropNamespace(config, "mount");
    config.linux.maskedPaths = [];
    config.linux.readonlyPaths = [];
    config.mounts = [mount];
  });
  expect(result).toMatchObject({ status: 0, stdout: "0\n", stderr: "" });
});

ours("a file system that has no id-mapped mounts", async () => {
  const result = await box.look(["true"], withMount(bind("/sys/kernel", ["bind", "idmap"], to(0, 1))));
  expect(result.status).toBe(1);
  expect(result.stderr.replaceAll("\\", "")).toContain(
    "mounts[6]: bind /sys/kernel on /data: mount_setattr(source, " +
      '"", AT_EMPTY_PATH, {attr_set=MOUNT_ATTR_IDMAP, userns_fd=userns[uids 0 1 1; gids 0 1 1]}, 32): ' +
      "invalid argument (the source's file system has no id-mapped mounts)",
  );
});

ours("init waits for start without a descriptor of a user namespace", async () => {
  const bundle = box.bundle(["true"], withMount(bind(makeVolume(), ["bind", "idmap"], to(1000, 0))));
  const id = box.id();
  await box.ok(["create", "--bundle", bundle.directory, id]);
  const { pid } = JSON.parse((await box.ok(["state", id])).stdout) as { pid: number };
  const links = readdirSync(`/proc/${pid}/fd`).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`));
  expect(links.filter((link) => link.startsWith("user:"))).toEqual([]);
  await box.ok(["delete", "--force", id]);
});

ours("plan shows the maps", async () => {
  const bundle = box.bundle(["true"], withMount(bind(makeVolume(), ["bind", "ridmap"], to(1000, 0))));
  const { stdout } = await box.ok(["plan", "--bundle", bundle.directory, box.id()]);
  expect(stdout).toContain(
    "AT_EMPTY_PATH|AT_RECURSIVE, {attr_set=MOUNT_ATTR_IDMAP, userns_fd=userns[uids 1000 0 1",
  );
});

ours("features says so", async () => {
  const features = JSON.parse((await box.ok(["features"])).stdout) as {
    mountOptions: string[];
    linux: { mountExtensions: unknown };
  };
  expect(features.linux.mountExtensions).toEqual({ idmap: { enabled: true } });
  expect(features.mountOptions).toContain("idmap");
  expect(features.mountOptions).toContain("ridmap");
});

describe.skipIf(isPeer || !hasCrun)("as crun", () => {
  for (const [name, options, maps, user] of [
    ["maps, no user namespace", ["bind", "idmap"], to(1000, 0), false],
    ["maps in a user namespace", ["bind", "ro", "idmap"], to(1000, 100000), true],
    ["the user namespace's maps", ["rbind", "idmap"], undefined, true],
    ["mappings in the option", ["bind", "idmap=uids=1000-0-1;gids=1000-0-1"], undefined, false],
  ] as const)
    test(name, async () => {
      const script =
        "stat -c '%n %u:%g' /data /data/*; grep ' /data ' /proc/self/mountinfo | cut -d' ' -f 5-6";
      const mount = bind(makeVolume(), [...options], maps && [...maps]);
      const change = withMount(mount, user ? addUserNamespace : undefined);
      const [mine, theirs] = [
        await runOn(box, ["sh", "-c", script], change),
        await runOn(box.withPeer("crun"), ["sh", "-c", script], change),
      ];
      expect(theirs).toMatchObject({ status: 0, stderr: "" });
      expect(mine.stdout).toBe(theirs.stdout);
    });
});
