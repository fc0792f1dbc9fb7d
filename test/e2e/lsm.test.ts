// AppArmor and SELinux where there is neither: what asks for them is an error before anything runs, what asks for
// nothing runs. With AppArmor: test/vm/apparmor.test.sh.
import { describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { readLsm } from "../../src/host/lsm.ts";
import type { Config } from "./config.ts";
import { isPeer, openSandbox } from "./harness.ts";

const box = openSandbox("lsm");
const lsm = readLsm();
const noProfile = "apparmor: config provided but apparmor not supported";
const noLabel = "selinux label is specified in config, but selinux is disabled or not supported";
const label = "system_u:system_r:container_t:s0:c1,c2";

const asking =
  (members: object) =>
  (config: Config): void => {
    Object.assign(config.process, members);
  };

describe.skipIf(lsm.apparmor || isPeer)("without AppArmor", () => {
  test("a profile is an error", async () => {
    const result = await box.look(["true"], asking({ apparmorProfile: "docker-default" }));
    expect(result.status).toBe(1);
    expect(result.stderr).toContain(`process.apparmorProfile: docker-default: ${noProfile}`);
  });
  for (const profile of ["unconfined", ""])
    test(`"${profile}" asks for nothing`, async () => {
      expect((await box.look(["true"], asking({ apparmorProfile: profile }))).status).toBe(0);
    });
});

describe.skipIf(lsm.selinux || isPeer)("without SELinux", () => {
  test("a label is an error", async () => {
    const result = await box.look(["true"], asking({ selinuxLabel: label }));
    expect(result.status).toBe(1);
    expect(result.stderr).toContain(`process.selinuxLabel: ${label}: ${noLabel}`);
  });
  test("an empty label asks for nothing, and a mount label is for no file system", async () => {
    const result = await box.look(["cat", "/proc/self/mountinfo"], (config) => {
      Object.assign(config.process, { selinuxLabel: "" });
      Object.assign(config.linux, { mountLabel: "system_u:object_r:container_file_t:s0:c1,c2" });
    });
    expect(result.status).toBe(0);
    expect(result.stdout).not.toContain("container_file_t");
  });
});

describe.skipIf(lsm.apparmor || lsm.selinux || isPeer)("exec", () => {
  test("with a profile or a label is an error, by flag or by file", async () => {
    const id = box.id();
    await box.ok(["run", "-d", "--bundle", box.bundle(["sleep", "100"]).directory, id]);
    const file = join(box.directory, "process.json");
    const process = { args: ["true"], cwd: "/", user: { uid: 0, gid: 0 } };
    writeFileSync(file, JSON.stringify({ ...process, apparmorProfile: "x" }));
    const cases: readonly (readonly [string, readonly string[]])[] = [
      [`process.apparmorProfile: x: ${noProfile}`, ["--apparmor", "x", id, "true"]],
      [`process.selinuxLabel: ${label}: ${noLabel}`, ["--process-label", label, id, "true"]],
      [`process.apparmorProfile: x: ${noProfile}`, ["--process", file, id]],
    ];
    for (const [text, args] of cases) {
      const result = await box.run(["exec", ...args]);
      expect(result.stderr).toContain(text);
      expect(result.status).toBe(255);
    }
    await box.ok(["exec", "--apparmor", "", "--process-label", "", id, "true"]);
    await box.ok(["exec", "--apparmor", "unconfined", id, "true"]);
    await box.ok(["delete", "--force", id]);
  });
});
