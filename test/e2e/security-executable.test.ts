// Real attacks of a hostile image or container on the runtime and the host: the files that the runtime itself is made
// of, and what it reads where it is started.
import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { openAttackSandbox, ours } from "./attacks.ts";
import { grantCapability } from "./config.ts";
import { executable, isPeer, readStatus, waitFor } from "./harness.ts";

const { box, runBundle } = openAttackSandbox("security-executable");

/** Hashes the files that a container could reach through /proc/PID/exe or the like. */
function hashChain(): string[] {
  const folder = dirname(executable);
  const names = isPeer ? [executable] : readdirSync(folder).map((name) => join(folder, name));
  return [...names, process.execPath]
    .filter((name) => statSync(name).isFile())
    .map((name) => `${name} ${createHash("sha256").update(readFileSync(name)).digest("hex")}`);
}

describe("the runtime's own executable (CVE-2019-5736)", () => {
  test("#!/proc/self/exe as the entry runs nothing of the host", async () => {
    const before = hashChain();
    const bundle = box.bundle(["/evil"]);
    writeFileSync(join(bundle.rootfs, "evil"), "#!/proc/self/exe\n", { mode: 0o755 });
    await runBundle(bundle);
    expect(hashChain()).toEqual(before);
  });
  test("writing to /proc/PID/exe of a process that joins changes no file", async () => {
    const before = hashChain();
    // Opens the executable of every other process that appears, and tries to write it by way of /proc/self/fd.
    const script = `
      while :; do
        for p in /proc/[0-9]*; do
          case $p in /proc/1|/proc/$$) continue;; esac
          ( exec 3<$p/exe; for i in 1 2 3 4 5; do echo broken >/proc/self/fd/3; done )
        done
      done 2>/dev/null`;
    const id = box.id();
    const bundle = box.bundle(["sh", "-c", script], (config) => grantCapability(config, "CAP_SYS_PTRACE"));
    await box.ok(["run", "-d", "--bundle", bundle.directory, id]);
    for (let turn = 0; turn < 30; turn += 1) await box.ok(["exec", id, "true"]);
    await box.ok(["delete", "--force", id]);
    expect(hashChain()).toEqual(before);
  });
  // Its standard streams are the caller's, handed over as they are.
  test("a joining process shows no link to the host", async () => {
    const script = `
      end=$(($(date +%s) + 3))
      while [ $(date +%s) -lt $end ]; do
        for p in /proc/[0-9]*; do
          case $p in /proc/1|/proc/$$) continue;; esac
          for l in $p/cwd $p/root $p/exe $p/fd/[3-9]* $p/fd/[12][0-9]*; do echo "$(readlink $l)"; done
        done
      done 2>/dev/null | sort -u`;
    const id = box.id();
    const bundle = box.bundle(["sh", "-c", script]);
    const started = box.start(["run", "--bundle", bundle.directory, id]);
    await waitFor("the start", async () => (await readStatus(box, id)) === "running");
    while (started.child.exitCode === null && started.child.signalCode === null)
      await box.run(["exec", id, "true"]);
    const links = (await started.result).stdout.split("\n").filter((l) => l !== "");
    // Shells of the container keep a copy of their standard error, which is the caller's file.
    const hostile = links
      .filter((l) => !/\/output\/\d+\.(out|err)$/.test(l))
      .filter((l) => l.startsWith(box.directory) || /^\/(sys|usr\/sbin|run)\b/.test(l));
    expect(hostile).toEqual([]);
  });
});

describe("the working directory of the runtime is untrusted", () => {
  ours("no .env, bunfig.toml, package.json, tsconfig.json or preload of the bundle is read", async () => {
    const bundle = box.bundle(["env"]);
    const marker = join(bundle.directory, "ran");
    writeFileSync(
      join(bundle.directory, "evil.js"),
      `require("fs").writeFileSync(${JSON.stringify(marker)}, "x");`,
    );
    writeFileSync(join(bundle.directory, "bunfig.toml"), 'preload = ["./evil.js"]\n[run]\nbun = true\n');
    writeFileSync(
      join(bundle.directory, ".env"),
      `EVIL=1\nBUN_OPTIONS=--preload=./evil.js\nNODE_OPTIONS=--require=./evil.js\nXDG_RUNTIME_DIR=${bundle.directory}\nPATH=/nowhere\n`,
    );
    writeFileSync(
      join(bundle.directory, "package.json"),
      '{"type":"module","imports":{"#x":"./evil.js"},"main":"evil.js"}',
    );
    writeFileSync(
      join(bundle.directory, "tsconfig.json"),
      '{"compilerOptions":{"paths":{"*":["./evil.js"]}}}',
    );
    mkdirSync(join(bundle.directory, "node_modules/koffi"), { recursive: true });
    for (const name of ["koffi", "zod", "commander"]) {
      mkdirSync(join(bundle.directory, "node_modules", name), { recursive: true });
      copyFileSync(
        join(bundle.directory, "evil.js"),
        join(bundle.directory, "node_modules", name, "index.js"),
      );
    }
    writeFileSync(join(bundle.directory, "koffi.node"), "not an addon");
    writeFileSync(join(bundle.directory, "init"), "#!/bin/sh\ntouch ran\n", { mode: 0o755 });
    const result = await box.run(["run", box.id()], { cwd: bundle.directory });
    expect(result.stderr).toBe("");
    expect(result.stdout).not.toMatch("EVIL");
    expect(existsSync(marker)).toBe(false);
  });
  ours("the container's env reaches no process of the host", async () => {
    const marker = join(box.directory, "preloaded");
    const bundle = box.bundle(["true"], (config) => {
      config.process.env?.push(
        `BUN_OPTIONS=--preload=${marker}`,
        `NODE_OPTIONS=--require=${marker}`,
        `LD_PRELOAD=${marker}`,
      );
      config.hooks = {
        createRuntime: [
          { path: "/bin/sh", args: ["sh", "-c", `cat /proc/$PPID/environ /proc/$$/environ >${marker}`] },
        ],
      };
    });
    await box.ok(["run", "--bundle", bundle.directory, box.id()]);
    expect(readFileSync(marker, "utf8")).not.toMatch(/preload|LD_PRELOAD|NODE_OPTIONS|BUN_OPTIONS/);
  });
});
