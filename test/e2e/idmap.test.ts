// Id-mapped mounts: ids seen from both sides, on ext4 (or whatever /tmp is) and tmpfs.
import { describe, expect, test } from "bun:test";
import { chownSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { addUserNamespace, type Config } from "./config.ts";
import { isPeer } from "./harness.ts";
import { bind, fillVolume, LOOK, openIdmapSandbox, owner, to, withMount } from "./idmap.ts";

const { box, makeVolume, runOn, look } = openIdmapSandbox("idmap");
const ours = test.skipIf(isPeer);

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
