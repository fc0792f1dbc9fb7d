// The root file system as the process finds it: /, its propagation, names, --no-pivot, and what is left on the host.
import { describe, expect, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { addUserNamespace, type Config } from "./config.ts";
import { isPeer, openSandbox } from "./harness.ts";

const box = openSandbox("rootfs");
const ours = test.skipIf(isPeer);

describe("the root", () => {
  test("is writable unless readonly", async () => {
    expect((await box.look(["touch", "/new"])).status).toBe(0);
    const result = await box.look(["touch", "/new"], (config) => {
      config.root.readonly = true;
    });
    expect(result.stderr).toMatch("Read-only file system");
  });
  test("read-only leaves the mounts below it writable", async () => {
    const result = await box.look(["touch", "/dev/shm/new"], (config) => {
      config.root.readonly = true;
    });
    expect(result.status).toBe(0);
  });
  test("an absolute path works", async () => {
    const bundle = box.bundle(["true"]);
    bundle.edit((config) => {
      config.root.path = bundle.rootfs;
    });
    await box.ok(["run", "--bundle", bundle.directory, box.id()]);
  });
  test("the bundle as its own rootfs", async () => {
    const bundle = box.bundle(["true"]);
    writeFileSync(join(bundle.rootfs, "config.json"), readFileSync(join(bundle.directory, "config.json")));
    const inner = JSON.parse(readFileSync(join(bundle.directory, "config.json"), "utf8")) as Config;
    inner.root.path = ".";
    writeFileSync(join(bundle.rootfs, "config.json"), JSON.stringify(inner));
    await box.ok(["run", "--bundle", bundle.rootfs, box.id()]);
  });
  for (const flags of [[], ["--no-pivot"]]) {
    test(`nothing of the host's root is reachable ${flags.join(" ")}`, async () => {
      const script =
        "cat /proc/self/mountinfo; echo ---; ls /; echo ---; ls /proc/1/root/; cd ..; pwd; ls -d ../../../../work 2>&1";
      const bundle = box.bundle(["sh", "-c", script]);
      const result = await box.run(["run", ...flags, "--bundle", bundle.directory, box.id()]);
      const [mounts = "", root = "", other = ""] = result.stdout.split("---\n");
      if (flags.length === 0) {
        const points = mounts
          .trim()
          .split("\n")
          .map((line) => line.split(" ")[4] ?? "");
        expect(points.filter((point) => !/^\/($|proc|dev|sys)/.test(point))).toEqual([]);
        expect(points.filter((point) => point === "/").length).toBe(1);
      }
      expect(other.startsWith(root)).toBe(true);
      expect(other).toMatch(/No such file/);
    });
  }
  test("--no-pivot: the host's procfs and sysfs cannot be mounted anew in a user namespace", async () => {
    const script = "unshare -Urm mount -t proc proc /mnt && ls /mnt";
    const bundle = box.bundle(["sh", "-c", script]);
    mkdirSync(join(bundle.rootfs, "mnt"));
    const result = await box.run(["run", "--no-pivot", "--bundle", bundle.directory, box.id()]);
    expect(result.status).not.toBe(0);
  });
});

describe("rootfsPropagation", () => {
  for (const [value, pattern] of [
    ["shared", /shared:\d+/],
    ["rshared", /shared:\d+/],
    ["slave", /^(?!.*shared).*$/],
    ["rslave", /^(?!.*shared).*$/],
    ["private", /^$/],
    ["rprivate", /^$/],
    ["unbindable", /^unbindable$/],
    ["runbindable", /^unbindable$/],
  ] as const) {
    test.skipIf(isPeer && /shared|unbindable/.test(value))(value, async () => {
      const result = await box.look(["cat", "/proc/self/mountinfo"], (config) => {
        config.linux.rootfsPropagation = value;
      });
      expect(result.stderr).toBe("");
      const line = result.stdout.split("\n").find((l) => l.split(" ")[4] === "/");
      const tags = line?.split(" - ")[0]?.split(" ").slice(6).join(" ") ?? "no root";
      expect(tags).toMatch(pattern);
    });
  }
  ours("an unknown value is refused", async () => {
    const result = await box.look(["true"], (config) => {
      config.linux.rootfsPropagation = "bogus";
    });
    expect(result.status).toBe(1);
    expect(result.stderr).toMatch("rootfsPropagation");
  });
});

describe("names", () => {
  test("hostname", async () => {
    expect((await box.look(["hostname"])).stdout).toBe("tested\n");
  });
  ours("domainname", async () => {
    const result = await box.look(["cat", "/proc/sys/kernel/domainname"], (config) => {
      config.domainname = "example.org";
    });
    expect(result.stdout).toBe("example.org\n");
  });
  test("hostname in a user namespace", async () => {
    expect((await box.look(["hostname"], addUserNamespace)).stdout).toBe("tested\n");
  });
});

test("the rootfs on the host gets the mount points and nothing else", async () => {
  const bundle = box.bundle(["true"]);
  const before = readdirSync(bundle.rootfs, { recursive: true }).length;
  await box.ok(["run", "--bundle", bundle.directory, box.id()]);
  expect(readdirSync(bundle.rootfs, { recursive: true }).length).toBe(before);
});
