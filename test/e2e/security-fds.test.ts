// Real attacks of a hostile image or container on the runtime and the host: descriptors of the host, by the numbers of
// the CVEs that the attack is known from.
import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openAttackSandbox, ours, replaceByLink } from "./attacks.ts";

const { box, runBundle } = openAttackSandbox("security-fds");

describe("descriptors of the host (CVE-2024-21626, CVE-2016-9962)", () => {
  const secret = "cannot be seen inside";
  for (const link of [false, true])
    test(`a cwd of /proc/self/fd/N ${link ? "by a symbolic link" : ""} never is on the host`, async () => {
      for (let fd = 3; fd < 24; fd += 1) {
        const bundle = box.bundle(["sh", "-c", "pwd; ls; ls ../../../.. 2>/dev/null"], (config) => {
          config.process.cwd = link ? "/work" : `/proc/self/fd/${fd}`;
        });
        if (link) replaceByLink(bundle, "work", `/proc/self/fd/${fd}`);
        const result = await runBundle(bundle);
        expect(result.stdout).not.toMatch(/bundle-|state-|cgroup|unreachable/);
      }
    });
  test("exec --cwd /proc/self/fd/N", async () => {
    const id = box.id();
    await box.ok(["run", "-d", "--bundle", box.bundle(["sleep", "100"]).directory, id]);
    for (let fd = 3; fd < 24; fd += 1) {
      const result = await box.run([
        "exec",
        "--cwd",
        `/proc/self/fd/${fd}`,
        id,
        "sh",
        "-c",
        "ls; ls ../../..",
      ]);
      expect(result.stdout).not.toMatch(/bundle-|state-|cgroup/);
    }
    await box.ok(["delete", "--force", id]);
  });
  test("args[0] by way of /proc/self/fd/N", async () => {
    for (let fd = 3; fd < 24; fd += 1) {
      const result = await box.look([`/proc/self/fd/${fd}/../../../../../../usr/bin/id`]);
      expect(result.status).not.toBe(0);
    }
  });
  test("what the caller leaks without O_CLOEXEC is closed", async () => {
    writeFileSync(join(box.directory, "secret"), secret);
    const prefix = ["sh", "-c", `exec 5<${box.directory} 7</; exec "$@"`, "sh"];
    const result = await box.look(
      ["sh", "-c", "ls /proc/self/fd/5/ /proc/self/fd/7/ /proc/1/fd/; true"],
      undefined,
      { prefix },
    );
    expect(result.stdout).not.toMatch(/secret|work|bundle/);
  });
  ours("the waiting init holds nothing of the host and is not dumpable", async () => {
    const id = box.id();
    await box.ok(["create", "--bundle", box.bundle(["true"]).directory, id]);
    const { pid } = JSON.parse((await box.ok(["state", id])).stdout) as { pid: number };
    const links = readdirSync(`/proc/${pid}/fd`).map(
      (fd) =>
        `${fd} ${Bun.spawnSync(["readlink", `/proc/${pid}/fd/${fd}`])
          .stdout.toString()
          .trim()}`,
    );
    const beyond = links.filter((l) => Number(l.split(" ")[0]) > 2);
    expect(beyond.filter((l) => !/socket:/.test(l))).toEqual([]);
    expect(beyond.length).toBeLessThan(2);
    // A dumpable process's files in /proc belong to its user; of any other, to root. So look at it as a mapped root.
    expect(Bun.spawnSync(["readlink", `/proc/${pid}/exe`]).stdout.toString()).toMatch(/memfd|deleted/);
    const resident = Number(readFileSync(`/proc/${pid}/status`, "utf8").match(/VmRSS:\s+(\d+)/)?.[1]);
    expect(resident).toBeLessThan(300);
    await box.ok(["delete", id]);
  });
  ours("exec --preserve-fds beyond what the caller opened", async () => {
    const id = box.id();
    await box.ok(["run", "-d", "--bundle", box.bundle(["sleep", "100"]).directory, id]);
    for (const count of ["1", "7", "30"]) {
      const result = await box.run(["exec", "--preserve-fds", count, id, "sh", "-c", "ls /proc/$$/fd; true"]);
      if (result.status === 0) expect(result.stdout).toBe("0\n1\n2\n");
    }
    await box.ok(["delete", "--force", id]);
  });
});
