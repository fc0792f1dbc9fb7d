// Id-mapped mounts: ids seen from both sides, on ext4 (or whatever /tmp is) and tmpfs.
import { describe, expect, test } from "bun:test";
import { chownSync, mkdirSync, readdirSync, readlinkSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { addUserNamespace, type Config, dropNamespace, type IdMapping, type Mount } from "./config.ts";
import { isPeer, openSandbox } from "./harness.ts";

const box = openSandbox("idmap");
const ours = test.skipIf(isPeer);
const hasCrun = Bun.which("crun") !== null;

let count = 0;
/** A directory with a file of root's, one of user 1000's and one of the container's root's in a user namespace. */
function makeVolume(): string {
  const volume = join(box.directory, `volume-${++count}`);
  fillVolume(volume);
  return volume;
}

function fillVolume(volume: string): void {
  mkdirSync(volume, { recursive: true, mode: 0o777 });
  for (const [name, id] of [
    ["root", 0],
    ["user", 1000],
    ["shifted", 100000],
  ] as const) {
    writeFileSync(join(volume, name), "");
    chownSync(join(volume, name), id, id);
  }
  chownSync(volume, 1000, 1000);
}

const to = (containerID: number, hostID: number, size = 1): IdMapping[] => [{ containerID, hostID, size }];
const bind = (source: string, options: string[], maps?: IdMapping[]): Mount => ({
  destination: "/data",
  source,
  options,
  ...(maps ? { uidMappings: maps, gidMappings: maps } : {}),
});
/** Prints the owner of each file, then makes one. */
const LOOK = [
  "sh",
  "-c",
  "cd /data && stat -c '%n %u:%g' root user shifted && touch new && stat -c '%n %u:%g' new",
];

function withMount(mount: Mount, change?: (config: Config) => void) {
  return (config: Config): void => {
    config.mounts.push(mount);
    change?.(config);
  };
}

function owner(path: string): string {
  const { uid, gid } = statSync(path);
  return `${uid}:${gid}`;
}

/** A container whose root is not the host's cannot make the target. */
function runOn(runner: Pick<typeof box, "run">, args: string[], change: (config: Config) => void) {
  const bundle = box.bundle(args, change);
  mkdirSync(join(bundle.rootfs, "data"));
  return runner.run(["run", "--bundle", bundle.directory, box.id()]);
}

async function look(mount: Mount, change?: (config: Config) => void): Promise<string[]> {
  const result = await runOn(box, LOOK, withMount(mount, change));
  expect(result.stderr).toBe("");
  return result.stdout.trim().split("\n");
}

describe("without a user namespace", () => {
  test("files of user 1000 are root's in the container, and what root makes is user 1000's outside", async () => {
    const volume = makeVolume();
    const seen = await look(bind(volume, ["bind", "idmap"], to(1000, 0)));
    // Ids that are not mapped are nobody's.
    expect(seen).toEqual(["root 65534:65534", "user 0:0", "shifted 65534:65534", "new 0:0"]);
    expect(owner(join(volume, "new"))).toBe("1000:1000");
  });

  test("maps without the option, which the spec wants: a warning", async () => {
    const mount = bind(makeVolume(), ["rbind"], to(1000, 0));
    const result = await runOn(box, LOOK, withMount(mount));
    expect(result.stdout).toContain("user 0:0\n");
    if (!isPeer)
      expect(result.stderr).toContain("mounts[6]: has id mappings without the option idmap or ridmap");
  });

  ours("mappings in the option, as crun has them", async () => {
    const volume = makeVolume();
    const seen = await look(bind(volume, ["bind", "idmap=uids=1000-0-1#0-7-1;gids=1000-0-1#0-8-1"]));
    expect(seen.slice(0, 2)).toEqual(["root 7:8", "user 0:0"]);
  });
});

describe("in a user namespace", () => {
  test("a volume of root's is root's by the option alone", async () => {
    const volume = makeVolume();
    chownSync(volume, 0, 0);
    const seen = await look(bind(volume, ["bind", "idmap"]), addUserNamespace);
    expect(seen).toEqual(["root 0:0", "user 1000:1000", "shifted 65534:65534", "new 0:0"]);
    expect(owner(join(volume, "new"))).toBe("0:0");
  });

  test("without it the volume's ids are those of the host", async () => {
    const volume = makeVolume();
    chownSync(volume, 100000, 100000);
    const seen = await look(bind(volume, ["bind"]), addUserNamespace);
    expect(seen).toEqual(["root 65534:65534", "user 65534:65534", "shifted 0:0", "new 0:0"]);
    expect(owner(join(volume, "new"))).toBe("100000:100000");
  });

  test("maps of the mount's own hold, not those of the container", async () => {
    const volume = makeVolume();
    const seen = await look(bind(volume, ["bind", "idmap"], to(1000, 100000, 2)), addUserNamespace);
    expect(seen).toEqual(["root 65534:65534", "user 0:0", "shifted 65534:65534", "new 0:0"]);
    expect(owner(join(volume, "new"))).toBe("1000:1000");
  });

  ours("mappings in the option that count in the container", async () => {
    const volume = makeVolume();
    const mount = bind(volume, ["bind", "idmap=uids=@1000-0-1;gids=@1000-0-1"]);
    expect((await look(mount, addUserNamespace)).slice(1, 2)).toEqual(["user 0:0"]);
  });

  ours("that is joined: its maps", async () => {
    const holder = box.bundle(["sleep", "60"], addUserNamespace);
    const id = box.id();
    await box.ok(["run", "--detach", "--bundle", holder.directory, id]);
    try {
      const { pid } = JSON.parse((await box.ok(["state", id])).stdout) as { pid: number };
      const volume = makeVolume();
      const seen = await look(bind(volume, ["bind", "idmap"]), (config) => {
        config.linux.namespaces.push({ type: "user", path: `/proc/${pid}/ns/user` });
      });
      expect(seen.slice(0, 3)).toEqual(["root 0:0", "user 1000:1000", "shifted 65534:65534"]);
    } finally {
      await box.ok(["delete", "--force", id]);
    }
  });
});

describe("with a tmpfs below the source", () => {
  /** Owners of user's files: in the source, and in the tmpfs that is mounted in it. */
  async function lookBelow(option: string, change?: (config: Config) => void): Promise<string[]> {
    const volume = makeVolume();
    const below = join(volume, "below");
    mkdirSync(below);
    expect(Bun.spawnSync(["mount", "-t", "tmpfs", "tmpfs", below]).exitCode).toBe(0);
    try {
      fillVolume(below);
      const mount = bind(volume, ["rbind", option], to(1000, 0));
      const args = ["stat", "-c", "%u", "/data/user", "/data/below/user"];
      const result = await runOn(box, args, withMount(mount, change));
      expect(result.stderr).toBe("");
      return result.stdout.trim().split("\n");
    } finally {
      Bun.spawnSync(["umount", below]);
    }
  }

  test("idmap maps the ids of the source only", async () => {
    expect(await lookBelow("idmap")).toEqual(["0", "1000"]);
  });

  ours("ridmap maps the ids of all", async () => {
    expect(await lookBelow("ridmap")).toEqual(["0", "0"]);
    const mapped = await lookBelow("ridmap", (config) => {
      addUserNamespace(config);
      config.linux.uidMappings = to(0, 0, 65536);
      config.linux.gidMappings = to(0, 0, 65536);
    });
    expect(mapped).toEqual(["0", "0"]);
  });
});

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
