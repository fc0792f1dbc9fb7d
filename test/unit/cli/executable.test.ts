// What only the built executable shows.
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const executable = join(import.meta.dirname, "../../../dist/tsrunc");
const isBuilt = existsSync(executable);
const { version } = JSON.parse(readFileSync(join(import.meta.dirname, "../../../package.json"), "utf8"));

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "tsrunc-executable-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

function run(
  argv: readonly string[],
  cwd = folder,
): { status: number | null; stdout: string; stderr: string } {
  const { status, stdout, stderr } = spawnSync(executable, argv, { cwd, encoding: "utf8", env: {} });
  return { status, stdout, stderr };
}

describe.skipIf(!isBuilt)("the executable", () => {
  test("knows its version and commit", () => {
    const { status, stdout, stderr } = run(["--version"]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(stdout).toMatch(
      new RegExp(`^tsrunc version ${version}\ncommit: ([0-9a-f]{40}(-dirty)?|unknown)\nspec: 1.3.0\n$`),
    );
  });

  test("its addon needs nothing but the C library, and exports nothing but its entry points", () => {
    const addon = join(import.meta.dirname, "../../../dist/koffi.node");
    const dump = (...args: readonly string[]) =>
      spawnSync("objdump", [...args, addon], { encoding: "utf8" }).stdout;
    const needed = [...dump("-p").matchAll(/NEEDED +(\S+)/g)].map(([, name]) => name?.split(".")[0]);
    expect(needed.filter((name) => name !== "ld-linux-x86-64" && name !== "ld-linux-aarch64")).toEqual([
      "libc",
    ]);
    const symbols = dump("-T")
      .split("\n")
      .filter((line) => / g .* \.text/.test(line));
    expect(symbols.map((line) => line.split(/\s+/).at(-1)).sort()).toEqual([
      "napi_register_module_v1",
      "node_api_module_get_api_version_v1",
    ]);
  });

  test("reads nothing from the directory that it is started in", () => {
    const hostile = join(folder, "hostile");
    mkdirSync(hostile);
    const shout = 'require("node:fs").writeSync(2, "loaded from the bundle\\n");\n';
    for (const name of ["preload.js", "index.js", "tsrunc.js", "commander.js"]) {
      writeFileSync(join(hostile, name), shout);
    }
    writeFileSync(join(hostile, "bunfig.toml"), 'preload = ["./preload.js"]\n[run]\nsilent = false\n');
    writeFileSync(join(hostile, ".env"), "XDG_RUNTIME_DIR=/loaded\nBUN_OPTIONS=--preload=./preload.js\n");
    writeFileSync(join(hostile, "package.json"), "{ broken");
    writeFileSync(join(hostile, "tsconfig.json"), "{ broken");
    for (const argv of [["--version"], ["features"], ["delete", "-f", "absent"], ["--help"]]) {
      expect(run(argv, hostile)).toMatchObject({ status: 0, stderr: "" });
    }
  });

  test("writes all of its output to a pipe that is full and non-blocking", async () => {
    const script = `import os, subprocess, sys, time
r, w = os.pipe()
os.set_blocking(w, False)
try:
    while True: os.write(w, b"x" * 4096)
except BlockingIOError: pass
p = subprocess.Popen(sys.argv[1:], stdout=w)
os.close(w)
time.sleep(0.2)
data = b""
while chunk := os.read(r, 65536): data += chunk
sys.stdout.write(data.lstrip(b"x").decode())
sys.exit(p.wait())`;
    const child = spawn("python3", ["-c", script, executable, "features"], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let text = "";
    child.stdout.on("data", (chunk) => {
      text += chunk;
    });
    const [status] = await once(child, "close");
    expect(status).toBe(0);
    expect(JSON.parse(text).ociVersionMax).toBe("1.3.0");
  });

  test("a reader that has gone is no crash", () => {
    const script = '"$1" features | true; exit $PIPESTATUS';
    const { status, stderr } = spawnSync("/bin/bash", ["-c", script, "bash", executable], {
      encoding: "utf8",
    });
    expect([status, stderr]).toEqual([0, ""]);
  });

  test("has its stdout left in the mode that it had", () => {
    const script = `import os, subprocess, sys
r, w = os.pipe()
subprocess.run(sys.argv[1:], stdout=w, check=True)
sys.exit(0 if os.get_blocking(w) else 1)`;
    expect(spawnSync("python3", ["-c", script, executable, "--version"]).status).toBe(0);
  });
});
