// What is mounted from the host into a user namespace stays as strict as the host has it, whatever root there does
// (mount_namespaces(7), "Restrictions on mount namespaces").
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { addUserNamespace, type Config, grantCapability } from "./config.ts";
import { isPeer, openSandbox } from "./harness.ts";
import { joinUser, makeHolders } from "./namespaces.ts";

const strict = mkdtempSync(join(tmpdir(), "tsrunc-strict-"));
const covered = join(strict, "covered");
const mount = (...args: readonly string[]): unknown => execFileSync("mount", args);

beforeAll(() => {
  mount("-t", "tmpfs", "-o", "mode=777", "strict", strict);
  mkdirSync(covered);
  writeFileSync(join(covered, "secret"), "");
  mount("-t", "tmpfs", "-o", "mode=777", "covered", covered);
  mount("-o", "remount,bind,ro,nosuid,nodev,noexec", strict);
});
afterAll(() => {
  execFileSync("umount", ["-R", strict]);
  rmdirSync(strict);
});

const box = openSandbox("namespaces-locks");
const holdNamespaces = makeHolders();
const ours = test.skipIf(isPeer);

/** root in the container with everything that it may have, and the host's folder on /var. */
function bindStrict(...options: string[]) {
  return (config: Config): void => {
    addUserNamespace(config);
    grantCapability(config, "CAP_SYS_ADMIN");
    config.mounts.push({ destination: "/var", type: "bind", source: strict, options });
  };
}

/** The mount's own flags, as mountinfo has them. */
const showFlags = (path: string): string => `awk '$5 == "${path}" { print $6 }' /proc/self/mountinfo`;
/** Takes each flag away, if that is possible, and what covers the second mount. */
const attack = [
  "sh",
  "-c",
  `for flags in rw ro,suid ro,dev ro,exec; do mount -o remount,bind,$flags /var 2>/dev/null; done
   ${showFlags("/var")}; umount /var/covered 2>/dev/null && echo uncovered; ls /var/covered; echo end`,
];
const kept = "ro,nosuid,nodev,noexec,relatime\nend\n";

describe("a mount of the host's in a user namespace", () => {
  test("keeps the host's flags and what covers it", async () => {
    const result = await box.look(attack, bindStrict("rbind"));
    expect(result.stderr).toBe("");
    expect(result.stdout).toBe(kept);
  });
  test("the same in one that is joined", async () => {
    const directory = await holdNamespaces(["--user"]);
    const result = await box.look(attack, (config) => {
      bindStrict("rbind")(config);
      joinUser(config, directory);
    });
    expect(result.stderr).toBe("");
    expect(result.stdout).toBe(kept);
  });
  test("can be stricter there", async () => {
    const result = await box.look(["sh", "-c", showFlags("/tmp/x")], (config) => {
      addUserNamespace(config);
      config.mounts.push(
        { destination: "/tmp", type: "tmpfs", source: "tmpfs" },
        { destination: "/tmp/x", type: "bind", source: covered, options: ["rbind", "ro", "nosuid"] },
      );
    });
    expect(result.stdout).toBe("ro,nosuid,relatime\n");
  });
  test("the root file system keeps its flags too", async () => {
    const script = `mount -o remount,bind,suid / 2>/dev/null; ${showFlags("/")}`;
    const { directory, rootfs } = box.bundle(["sh", "-c", script], bindStrict("rbind"));
    mount("--bind", rootfs, rootfs);
    try {
      mount("-o", "remount,bind,nosuid", rootfs);
      const result = await box.run(["run", "--bundle", directory, box.id()]);
      expect(result.stderr).toBe("");
      expect(result.stdout).toBe("rw,nosuid,relatime\n");
    } finally {
      execFileSync("umount", [rootfs]);
    }
  });
  ours("looser by its options is refused", async () => {
    const result = await box.look(["true"], bindStrict("rbind", "rw"));
    expect(result.status).toBe(1);
    expect(result.stderr).toContain(`mounts[6]: bind ${strict} on /var: mount_setattr(source`);
    expect(result.stderr).toContain("the source's mount on the host is stricter");
  });
  ours("without what covers it is refused", async () => {
    const result = await box.look(["true"], bindStrict("bind"));
    expect(result.status).toBe(1);
    expect(result.stderr).toContain(`mounts[6]: bind ${strict} on /var: open_tree(AT_FDCWD, `);
    expect(result.stderr).toContain("a user namespace may not uncover what mounts below the source cover");
  });
});
