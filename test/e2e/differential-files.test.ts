// The same bundle under the executable under test, runc and crun: what the process finds must be equal, save the
// differences that are named here with their reason. Here: mounts, /dev, and the root file system.
import { describe, expect, test } from "bun:test";
import { configs, openDifferentialSandbox, peers } from "./differential.ts";

const { box, compare } = openDifferentialSandbox("differential-files");

/** Mount lines without what differs from run to run: numbers, devices, and the bundle's own path. */
const shapeMounts = (text: string, peer: string): string[] =>
  text
    .trim()
    .split("\n")
    .map((line) => {
      const [before = "", after = ""] = line.split(" - ");
      const [, , , root = "", point = "", options = "", ...tags] = before.split(" ");
      const [type = "", source = "", superOptions = ""] = after.split(" ");
      const cleanRoot = root.replace(/^.*\/rootfs$/, "ROOTFS").replace(/e2e-[\w-]+/, "ID");
      // How a path is masked is each runtime's own: which /dev/null is bound with which flags, which limits a tmpfs has.
      if (/^\/(proc\/(keys|kcore)|sys\/firmware)$/.test(point)) return `${point} masked`;
      // Devices bound in a user namespace: runc adds nosuid and noexec to the bind, crun adds nothing.
      if (type === "devtmpfs") return `${point} device`;
      // Where the host's root is shared: crun and runc up to 1.1 leave the container's root a slave of it, later ones of
      // runc make it private, and so does tsrunc; crun makes binds private, runc does not.
      const isOwnWay = peer === "crun" || point === "/";
      const tagNames = isOwnWay ? "" : tags.map((tag) => tag.replace(/:\d+/, "")).join(" ");
      const sorted = (list: string): string => list.split(",").sort().join(",");
      // Whether `ro` of sysfs also makes its superblock read-only differs between runc and crun; the mount is what counts.
      const shownSuper = type === "sysfs" ? "" : sorted(superOptions);
      return [point, cleanRoot, sorted(options), tagNames, type, source, shownSuper].join(" ");
    })
    .sort();

describe("/proc/self/mountinfo", () => {
  for (const [title, change] of configs)
    test(title, async () => {
      await compare(["cat", "/proc/self/mountinfo"], change, shapeMounts);
    });
  test("mounts with many options", async () => {
    await compare(
      ["cat", "/proc/self/mountinfo"],
      (config) => {
        config.mounts.push(
          {
            destination: "/a",
            type: "tmpfs",
            source: "one",
            options: ["nosuid", "noexec", "ro", "size=64k", "mode=711"],
          },
          { destination: "/b", type: "bind", source: "/etc", options: ["rbind", "ro", "nodev"] },
          { destination: "/c", type: "bind", source: "/etc/hostname", options: ["bind", "rprivate"] },
          { destination: "/d/e/f", type: "tmpfs", source: "two", options: ["noatime", "nodiratime"] },
          { destination: "/g", type: "bind", source: "/usr/share", options: ["rbind", "rro"] },
        );
      },
      (text, peer) => shapeMounts(text, peer).filter((line) => /^\/[a-g]/.test(line)),
    );
  });
});

/** crun makes /dev/core always; runc, and we, only where the host has /proc/kcore. */
const shapeDevices = (text: string): string[] =>
  text.split("\n").filter((line) => !line.startsWith("core ") && line !== "/proc/kcore");

test("the tree of /dev: types, modes, owners, links", async () => {
  await compare(
    ["sh", "-c", "cd /dev; stat -c '%n %F %a %u:%g %t:%T' * | sort; for l in *; do readlink $l; done"],
    undefined,
    shapeDevices,
  );
});

test("what is left in the rootfs on the host", async () => {
  const listing = async (program: { run: typeof box.run }) => {
    const bundle = box.bundle(["true"], (config) => {
      config.mounts.push({
        destination: "/new/file",
        type: "bind",
        source: "/etc/hostname",
        options: ["bind"],
      });
      config.mounts.push({ destination: "/other/dir", type: "tmpfs", source: "t" });
      config.process.cwd = "/made/cwd";
    });
    await program.run(["run", "--bundle", bundle.directory, box.id()]);
    return Bun.spawnSync([
      "sh",
      "-c",
      `cd ${bundle.rootfs}; find . -path ./bin -prune -o ! -type d -printf '%p %y %U:%G %s\\n' | sort; find . -path ./bin -prune -o -type d -printf '%p %M\\n' | sort`,
    ]).stdout.toString();
  };
  const own = await listing(box);
  // crun makes directories with the sticky bit.
  if (peers.includes("runc")) expect(own).toBe(await listing(box.withPeer("runc")));
});
